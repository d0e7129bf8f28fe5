"""The step that runs experiments: which one is due, its commit, its measurement.

An experiment is recorded before it runs and its measurement after, each in one transaction. One without a measurement
was killed and runs again under the same number and seed; no number is ever measured twice. What is due follows from
the rows alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from council import edit as edits
from council import records, syntax
from council.executors.base import Job
from council.proposing import finish_check, mend, parent_source, static
from council.room import Room
from council.store import Row, now
from council.types import TRAIN_PY, Measurement, Role

EARLY_SECONDS = 20.0
"""A crash this soon after the box opened goes back to its author once."""
TRIES = 2
"""How often a run is tried when the machine and not the code failed."""
CURVE_POINTS = 500
EVAL_FACTOR, EVAL_LEAST = 2.0, 30.0
"""How long new code may take to score: times the incumbent's time; and seconds at least, for a machine may be busy."""
NEW_CODE = (Role.TRIAL, Role.REPAIR, Role.RUNNER_UP)


@dataclass(frozen=True)
class Due:
    """An experiment to run: already recorded as `row`, or to be recorded for a proposal (None: the same code)."""

    round: int
    role: Role
    proposal: Row | None = None
    parent: str = ""
    row: Row | None = None


RUNS = """
SELECT e.*, m.status, m.val_bpb, m.reason, m.raw, m.fingerprint, m.conditions, m.s0, v.kind, v.settles
FROM experiments e
LEFT JOIN measurements m ON m.session = e.session AND m.number = e.number
LEFT JOIN verdicts v ON v.session = e.session AND v.number = e.number
WHERE e.session = ? AND {where} ORDER BY e.number
"""


LAST_RAW = """
SELECT m.raw FROM experiments e JOIN measurements m ON m.session = e.session AND m.number = e.number
WHERE e.session = ? AND e.code = ? AND m.status = 'ok' ORDER BY e.number DESC LIMIT 1
"""


def runs(room: Room, round_: int) -> list[Row]:
    """The experiments of a round with what is known of each."""
    found = room.store.query(RUNS.format(where="e.round = ?"), room.sid, round_)
    return [room.store.decode("measurements", row) for row in found]


def recent(room: Room, count: int) -> list[Row]:
    """The last experiments of the session that ended a slot: neither repeated nor repaired."""
    slots: dict[tuple[int, bool], Row] = {}
    for row in room.store.query(RUNS.format(where="e.number > ?"), room.sid, _last_number(room) - 6 * count):
        if row["kind"] or row["status"] == "ok":
            slot = (row["round"], row["role"] == Role.REPLICATE)
            slots.pop(slot, None)  # the last run of a slot stands for it, at its own place
            slots[slot] = row
    return list(slots.values())[-count:]


def due(room: Room, round_: int) -> Due | None:
    """The experiment that the round needs next, or None if what has run is enough for now."""
    done = runs(room, round_)
    if not done or all(r["role"] == Role.BASELINE for r in done):
        return _opening(room, round_)
    last = done[-1]
    role, proposal = Role(last["role"]), last["proposal"]
    row = room.store.get("proposals", proposal) if proposal else None
    if last["status"] is None:
        return Due(round_, role, row, last["parent"], last)
    if last["status"] == "void" and _voids(done) < TRIES:
        return Due(round_, role, row, last["parent"])
    if role is Role.REPLICATE:
        failed_before = last["status"] != "ok" and last["at"] < room.started
        return Due(round_, role, None, last["parent"]) if failed_before else None
    if mended := _mended(room, last):
        return Due(round_, Role.REPAIR, mended, last["parent"])
    if last["kind"] and len(ended := recent(room, 2)) == 2 and all(r["status"] != "ok" for r in ended):
        return Due(round_, Role.REPLICATE, None, _incumbent(room))
    return None


def _opening(room: Room, round_: int) -> Due:
    tally = room.store.one("tallies", session=room.sid, round=round_)
    opened = room.store.one("rounds", session=room.sid, round=round_)
    assert opened is not None, "the brief step opens the round"
    if tally is None:
        return Due(round_, Role.REPLICATE, None, opened["parent"])
    return Due(round_, Role.TRIAL, room.store.get("proposals", tally["pick"]), opened["parent"])


def _incumbent(room: Room) -> str:
    found = records.book(room.store, room.sid)
    assert found is not None, "round 0 books the baseline"
    return found[0].commit


def _voids(done: list[Row]) -> int:
    """How many of the last runs in a row the machine spoilt."""
    count = 0
    for row in reversed(done):
        if row["status"] != "void" or (row["role"], row["proposal"]) != (done[-1]["role"], done[-1]["proposal"]):
            break
        count += 1
    return count


def _mended(room: Room, crashed: Row) -> Row | None:
    """The valid late repair of a crashed trial that has not run, if its author made one."""
    if crashed["role"] != Role.TRIAL or crashed["status"] != "crash":
        return None
    row = room.store.one(
        "proposals", session=room.sid, round=crashed["round"], step="late_repair", replaces=crashed["proposal"]
    )
    check = row and room.store.one("checks", proposal=row["id"])
    return row if check and check["valid"] else None


def repairable(room: Room, round_: int) -> bool:
    """Whether the last run is a trial that crashed early and whose author has not been asked to mend it."""
    done = runs(room, round_)
    if not done or done[-1]["role"] != Role.TRIAL or done[-1]["status"] != "crash":
        return False
    raw: Mapping[str, Any] = done[-1]["raw"]
    boxed = float(raw.get("startup_seconds") or 0) + float(raw.get("train_seconds") or 0)
    key = {"session": room.sid, "round": round_, "step": "late_repair"}
    asked = room.store.one("outcomes", "id", **key) or room.store.one("proposals", "id", **key)
    checked = asked and "title" in asked and room.store.one("checks", proposal=asked["id"])
    return boxed < EARLY_SECONDS and (asked is None or ("title" in asked and not checked))


async def repair_crash(room: Room, round_: int) -> None:
    """Give an early crash back to its author once; a repaired proposal goes through the guard like any other."""
    last = runs(room, round_)[-1]
    log = room.store.one("logs", session=room.sid, number=last["number"]) or {"tail": ""}
    # What was printed after the training text was at hand is for the operator, not for a member.
    reason = last["reason"] if last["raw"].get("has_text") else f"{last['reason']}\n{log['tail']}".strip()
    made = await mend(room, room.store.get("proposals", last["proposal"]), reason, "late_repair")
    if made is not None and not room.store.one("checks", proposal=made):
        known = records.known_code(room.store, room.sid)
        await finish_check(room, round_, static(room, round_, room.store.get("proposals", made), known))


async def run_job(room: Room, job: Due) -> None:
    """Commit, record, measure, record."""
    row = job.row or _record(room, job)
    # A kill between the row and the ref leaves the ref to the run that follows.
    room.repo.set_ref(f"refs/council/{room.name}/x{row['number']}", row["commit"])
    title = job.proposal["title"] if job.proposal else "the same code on a fresh seed"
    room.say("step", f"x{row['number']} {job.role.value}: {title}", round=job.round, step="run")
    curve: list[list[object]] = []

    def progress(found: Mapping[str, object]) -> None:
        room.say("progress", str(found.get("phase", "")), round=job.round, step="run", data=dict(found))
        if found.get("loss") is not None:
            curve.append([found.get("seconds"), found.get("step"), found.get("loss")])

    with room.repo.worktree(row["commit"], f"{room.name}-x{row['number']}") as tree:
        found = await room.executor.measure(_asked(room, job, row, tree / TRAIN_PY), progress)
    _finish(room, row, found, curve)


def _asked(room: Room, job: Due, row: Row, file: Path) -> Job:
    """What the executor is asked. New code may take twice as long to score as the code it is compared with."""
    asked = Job(file, row["seed"], row["budget"], room.device, room.sandbox, row["split"], job.role is Role.BASELINE)
    booked = records.book(room.store, room.sid)
    if job.role not in NEW_CODE or booked is None:
        return asked
    code = code_of(room.repo.read(job.parent, TRAIN_PY))
    known = next(room.store.query(LAST_RAW, room.sid, code), None)
    raw = room.store.decode("measurements", known)["raw"] if known else {}
    seconds = max(EVAL_LEAST, EVAL_FACTOR * float(raw.get("eval_seconds") or 0.0))
    best = booked[0].b if raw.get("device") == "cuda" else None  # elsewhere not a bit may differ, so a few places do
    return replace(asked, max_eval_seconds=seconds, thorough_below=best)


def _record(room: Room, job: Due) -> Row:
    """The row of a new experiment, its commit made first: a commit that no row names is harmless."""
    number = _last_number(room) + 1
    source = parent = room.repo.read(job.parent, TRAIN_PY)
    if job.proposal:
        source = edits.apply(records.proposal_of(job.proposal).edit, parent_source(room, job.round))
    subject = f"{room.name} x{number} {job.role.value}: {job.proposal['title'] if job.proposal else 'the same code'}"
    trailers = {
        "Council-Round": str(job.round),
        "Council-Member": job.proposal["member"] if job.proposal else "-",
        "Council-Ledger": "{} {}".format(*room.store.head()),
    }
    if source == parent:
        commit = room.repo.empty_commit(job.parent, subject=subject, trailers=trailers)
    else:
        commit = room.repo.commit_file(job.parent, TRAIN_PY, source, subject=subject, trailers=trailers)
    row = {
        "session": room.sid,
        "round": job.round,
        "number": number,
        "role": job.role.value,
        "at": now(),
        "commit": commit,
        "parent": job.parent,
        "proposal": job.proposal["id"] if job.proposal else None,
        "code": code_of(source),
        "sha256": hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest(),
        "seed": room.seed_for("experiment", number),
        "budget": room.budget,
        "split": "vault" if job.role is Role.CLOSING else "validation",
    }
    with room.store.atomic():
        room.store.insert("experiments", row)
    return row


def code_of(source: str) -> str:
    """What two texts of the same code share: the fingerprint of its syntax, or of its bytes if it has none."""
    try:
        return syntax.fingerprint(source)
    except syntax.Unparsable:
        return hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()


def _finish(room: Room, row: Row, found: Measurement, curve: list[list[object]]) -> None:
    number, step = row["number"], max(1, len(curve) // CURVE_POINTS)
    with room.store.atomic():
        room.store.insert("measurements", records.measurement_row(room.sid, number, now(), found))
        room.store.insert(
            "logs", {"session": room.sid, "number": number, "tail": found.log_tail, "curve": curve[::step]}
        )
    said = f"{found.val_bpb:.5f} BPB" if found.val_bpb is not None else f"{found.status}: {found.reason}"
    room.say("step", f"x{number} measured: {said} in {found.total_seconds:.0f} s", round=row["round"], step="run")


def _last_number(room: Room) -> int:
    return int(
        next(room.store.query("SELECT coalesce(max(number), 0) AS n FROM experiments WHERE session = ?", room.sid))["n"]
    )
