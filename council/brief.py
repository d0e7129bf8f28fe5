"""The brief: what a member receives in a round, made from the store alone.

The same round gives the same brief however often it is asked for: it knows the program, the incumbent's code, the book
and every experiment of earlier rounds, never the authors of others' edits and never a seed.
"""

from __future__ import annotations

import json
import math
from functools import cache

from council import syntax
from council.repo import Repo
from council.room import Room
from council.store import Row
from council.types import TRAIN_PY, Brief, Past, Ran

HISTORY = """
SELECT e.round, e.number, e.role, e."commit" AS sha, e.parent, e.budget, m.status, m.val_bpb, m.reason AS said,
       json_extract(m.raw, '$.device') AS device, m.raw, json_extract(m.conditions, '$.device') AS machine,
       v.kind, v.delta, v.sigmas, v.reason, p.title, p.family, p.member
FROM experiments e
JOIN measurements m ON m.session = e.session AND m.number = e.number
LEFT JOIN verdicts v ON v.session = e.session AND v.number = e.number
LEFT JOIN proposals p ON p.id = e.proposal
WHERE e.session = ? AND e.round < ? AND m.status != 'void' AND e.role != 'closing' ORDER BY e.number
"""


def brief(room: Room, round_: int, member: str) -> Brief:
    """What `member` receives in a round whose `rounds` row exists."""
    opened = room.store.one("rounds", session=room.sid, round=round_)
    assert opened is not None, "the brief step opens the round"
    book = room.store.get("books", opened["book"])
    rows = list(room.store.query(HISTORY, room.sid, round_))
    settled = list(
        room.store.query("SELECT delta FROM verdicts WHERE session = ? AND round < ? AND settles = 1", room.sid, round_)
    )
    device = str(rows[-1]["device"] or "cpu") if rows else "cpu"
    numbers = {row["sha"]: row["number"] for row in rows if row["kind"] == "keep"}  # any other commit is the baseline's
    incumbent = numbers.get(opened["parent"], 0)
    return Brief(
        session=room.name,
        round=round_,
        program=room.session["program"],
        source=room.repo.read(opened["parent"], TRAIN_PY),
        history=tuple(_past(room.repo, row, member, device, numbers.get(row["parent"], 0)) for row in rows),
        best=book["b"],
        best_sd=math.sqrt(book["v"]),
        sigma=book["sigma"],
        baseline=book["b_base"],
        budget=rows[-1]["budget"] or 0.0 if rows else 0.0,
        hits=sum((row["delta"] or 0) > 0 for row in settled),
        settled=len(settled),
        device=device,
        incumbent=incumbent,
        rounds=_rounds(room.session["config"], round_),
        current=_ran(rows, incumbent),
    )


def _rounds(config: object, round_: int) -> int | None:
    """How many rounds the session was opened for, unless it has gone beyond them."""
    stop = config.get("stop") if isinstance(config, dict) else None
    rounds = stop.get("rounds") if isinstance(stop, dict) else None
    return rounds if isinstance(rounds, int) and rounds >= round_ else None


def _ran(rows: list[Row], incumbent: int) -> Ran | None:
    """What the run that made the code the incumbent showed: one run, so that the telling stays the same under it."""
    ran = next((r for r in rows if r["status"] == "ok" and (r["number"] == incumbent or not incumbent)), None)
    if ran is None:
        return None
    raw = json.loads(ran["raw"]) if isinstance(ran["raw"], str) else dict(ran["raw"] or {})
    reported = raw.get("reported")
    steps = reported.get("steps") if isinstance(reported, dict) else None
    params, peak = raw.get("params"), raw.get("peak_memory_mb")
    return Ran(
        machine=str(ran["machine"] or ""),
        params=params if isinstance(params, int) else None,
        steps=steps if isinstance(steps, int) and steps > 0 else None,
        peak_mb=peak if isinstance(peak, int | float) and peak > 0 else None,
    )


def _past(repo: Repo, row: Row, member: str, device: str, on: int) -> Past:
    return Past(
        round=row["round"],
        number=row["number"],
        role=row["role"],
        title=row["title"] or "",
        family=row["family"] or "",
        mine=row["member"] == member,
        verdict=row["kind"] or "",
        bpb=row["val_bpb"],
        delta=row["delta"],
        sigmas=row["sigmas"],
        reason=row["reason"] or row["said"] or "",
        constants=constants(repo, row["sha"], device),
        on=on,
    )


@cache
def constants(repo: Repo, commit: str, device: str) -> dict[str, float]:
    """The constants of train.py at a commit; read from git once, since commits never change."""
    try:
        return syntax.constants(repo.read(commit, TRAIN_PY), device)
    except syntax.Unparsable:
        return {}
