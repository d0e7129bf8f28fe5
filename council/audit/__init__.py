"""The audit: recompute what a database and its repository say, and list everything that does not add up.

Why: a night is worth what it can prove. Nothing here trusts a stored number that can be computed again from another
row, from the session's seed or from git. `schema` reads what the database is made of, `chain` the ledger and every row,
`order` when each was recorded, `commits` git, `measured` what the referee said, `votes` slates to picks, `verdicts` the
book, `settled` settlements and reputation, `closings` what may be called a gain, `spend` what calls cost; `texts` has
`secrets` and `edits`, in a process `aside` if the night is long. What it cannot find is listed in `docs/audit.md`.
How to extend: a function (store, session, findings) in one of the modules, called from `_session`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from council.audit import (
    aside,
    chain,
    closings,
    commits,
    imported,
    measured,
    order,
    rows,
    schema,
    settled,
    spend,
    verdicts,
    votes,
)
from council.audit.findings import Findings, Problem, Report
from council.audit.history import Refs
from council.learned import Learner
from council.lock import holder
from council.repo import Repo
from council.store import Row, Store

__all__ = ["Problem", "Report", "audit"]


def audit(store: Store, repo: Repo) -> Report:
    """Check everything, on one snapshot of the database; a session may be running meanwhile. Never writes."""
    with _uncollected():
        return _audit(store, repo)


@contextmanager
def _uncollected() -> Iterator[None]:
    """No search for cycles: nothing here makes any, and looking through a long night's rows takes seconds."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _audit(store: Store, repo: Repo) -> Report:
    found = Findings()
    refs = Refs.of(repo)
    lock = repo.root / ".council" / "lock"
    running, head = holder(lock) is not None, ""
    with store.atomic():
        readable = False
        with found.reading("schema"):
            readable = schema.check(store, found)
        if not readable:
            found.add("schema", store.path.name, "its tables are not the council's: nothing in them was read")
            return Report(False, 0, 0, 0, "", found.report())
        refs.again(repo)
        with aside.begun(store, repo) as texts_checked:
            with found.reading("ledger"):
                head = "{} {}".format(*store.head())
            ledger = chain.check(store, found)
            sessions = _sessions(store, repo, ledger, refs, found)
            running = running or holder(lock) is not None
            for session in sessions:
                if not (running and session is sessions[-1]):  # it may have begun at this moment
                    order.bare(store, session, ledger, refs, found)
            texts_checked(found)
        count = {tbl: _count(store, tbl, found) for tbl in ("sessions", "rounds", "calls")}
    problems = found.report()
    return Report(not problems, **count, head=head, problems=problems, imported=count["sessions"] - len(sessions))


def _sessions(store: Store, repo: Repo, ledger: chain.Ledger, refs: Refs, found: Findings) -> list[Row]:
    """Check every session; those that were held here."""
    own = []
    with found.reading("sessions"):
        for session in rows.sessions(store):
            if rows.imported(session):
                with found.reading(f"{session['name']}: imported"):
                    imported.check(store, session, found)
            else:
                own.append(session)
                _session(store, repo, session, ledger, refs, found)
    commits.strangers(refs, {str(s["name"]) for s in own}, found)
    return own


def _session(store: Store, repo: Repo, session: Row, ledger: chain.Ledger, refs: Refs, found: Findings) -> None:
    with found.reading(f"{session['name']}: commits"):
        commits.check(store, repo, session, ledger, refs, found)
    with found.reading(f"{session['name']}: order"):
        order.check(store, session, ledger, found)
    with found.reading(f"{session['name']}: closings"):
        closings.check(store, session, ledger, refs, found)
    with found.reading(f"{session['name']}: votes"):
        learner = Learner(store, session["id"])
        with found.reading(f"{session['name']}: settled"):
            settled.check(store, session, learner, found)
        votes.check(store, session, learner, found)
    for part in (measured, verdicts, spend):
        with found.reading(f"{session['name']}: {part.__name__.rpartition('.')[2]}"):
            part.check(store, session, found)


def _count(store: Store, tbl: str, found: Findings) -> int:
    with found.reading(tbl):
        return int(next(store.query(f"SELECT count(*) AS n FROM [{tbl}]"))["n"])
    return 0
