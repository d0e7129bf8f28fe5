"""Edits: what ran is the proposal's edit applied to the round's code, and nothing else.

Reads train.py at every commit of a session in one go, and takes the fingerprint of each text anew. Also what follows
from a session's seed and from an experiment's role: the seed it ran with, its number, what it stands on.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache

from council import edit, records
from council.audit import history
from council.audit.findings import Findings
from council.repo import Repo
from council.running import code_of
from council.store import Row, Store, digest
from council.types import TRAIN_PY, Role

RUNS = """
SELECT e.*, p.edit, p.diff, p.code AS proposed, r.parent AS opened FROM experiments e
LEFT JOIN proposals p ON p.id = e.proposal
LEFT JOIN rounds r ON r.session = e.session AND r.round = e.round
WHERE e.session = ? ORDER BY e.number
"""
SAME_CODE = (Role.BASELINE, Role.REPLICATE, Role.CLOSING)
"""Roles that run code which is there already."""


def seed_of(session: Row, *key: object) -> int:
    """The chance that a key gets in a session."""
    return int(digest([session["seed"], *key])[:16], 16) >> 1


def check(store: Store, repo: Repo, session: Row, found: Findings) -> None:
    """Check what the experiments of a session ran."""
    rows = list(store.query(RUNS, session["id"]))
    there = history.commits(repo, [r["commit"] for r in rows])
    sources = history.files(repo, [r[c] for r in rows for c in ("commit", "parent", "opened")], TRAIN_PY)
    changes = history.changes(repo, there) if there else {}
    for number, row in enumerate(rows, 1):
        where = f"{session['name']} x{row['number']}"
        with found.reading(where):
            if row["number"] != number:
                found.add("experiment", where, f"it is experiment {number} of its session")
            _drawn(session, row, where, found)
            if row["commit"] in there:
                _source(row, where, sources, changes.get(row["commit"], []), found)


@lru_cache(maxsize=16)  # a baseline and whatever runs again run the same text
def _fingerprint(data: bytes) -> str:
    return code_of(data.decode())


def _drawn(session: Row, row: Row, where: str, found: Findings) -> None:
    if row["seed"] != seed_of(session, "experiment", row["number"]):
        found.add("experiment", where, f"its seed {row['seed']} does not follow from the session's")
    if (row["role"] in SAME_CODE) != (row["proposal"] is None):
        found.add("experiment", where, f"a {row['role']} with proposal {row['proposal']}")
    if row["role"] == Role.BASELINE and (row["parent"] != session["commit"] or row["round"] != 0):
        found.add("experiment", where, "a baseline that is not the commit the session started from")
    if row["role"] not in SAME_CODE and row["parent"] != row["opened"]:
        found.add("experiment", where, f"it stands on {row['parent']}, its round on {row['opened']}")
    if row["proposed"] is not None and row["code"] != row["proposed"]:
        found.add("experiment", where, "its code is not the proposal's")


def _source(row: Row, where: str, sources: dict[str, bytes], changed: list[str], found: Findings) -> None:
    """What the commit holds: the recorded file with its fingerprint, made by the recorded edit."""
    allowed = [] if row["role"] in SAME_CODE else [TRAIN_PY]
    for path in changed:
        found.unless(path in allowed, "file", where, f"its commit changes {path}")
    data = sources.get(row["commit"])
    if data is None:
        found.add("file", where, f"its commit holds no {TRAIN_PY}")
        return
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        found.add("file", where, f"{TRAIN_PY} of its commit is not the file that was recorded")
    found.unless(row["code"] == _fingerprint(data), "experiment", where, "its fingerprint is not that of its file")
    if row["role"] in SAME_CODE or row["edit"] is None:
        return
    parent = sources.get(row["opened"])
    if parent is None:
        found.add("file", where, f"the commit of its round, {row['opened']}, holds no {TRAIN_PY}")
        return
    text = parent.decode()
    proposal = {"title": "", "hypothesis": "", "family": "", "forecast": 0.0, "edit": json.loads(row["edit"])}
    made = edit.apply(records.proposal_of(proposal).edit, text)
    found.unless(made.encode() == data, "edit", where, "the proposal's edit does not give the file that ran")
    found.unless(edit.unified(text, made) == row["diff"], "edit", where, "the diff that was shown is not the edit's")
