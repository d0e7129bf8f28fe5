"""Grounding the book: the baseline is measured twice before anything is compared with it.

Measurements under other conditions or on other data are never compared, so a session that finds itself elsewhere
(another machine, another budget, another torch) measures its baseline again, then its incumbent, and opens the book
anew.
"""

from __future__ import annotations

from council import records
from council.errors import BaselineError, MachineFault
from council.judge import book as books
from council.room import Room
from council.running import RUNS, TRIES, Due, run_job
from council.settling import comparable, write_book
from council.store import Row
from council.types import Book, Role

WANTED = 2
"""Runs of the baseline, and of an incumbent that must be measured again."""
MOST = 8
"""Runs after which conditions that keep changing are the machine's fault."""


async def ground(room: Room) -> None:
    """Make sure that the book stands on measurements under the present conditions, unless a stop is asked for."""
    found = records.book(room.store, room.sid)
    if found is not None and not _moved(room, found[1]):
        _point(room, found[0].commit)
        return
    after = found[1]["number"] if found else 0
    base = await _measure(room, Role.BASELINE, room.baseline, after)
    mine: list[Row] = []
    if not base:
        return
    if found and found[0].commit != room.baseline:
        room.say("warning", "the conditions changed: the baseline and the incumbent are measured again")
        mine = await _measure(room, Role.REPLICATE, found[0].commit, base[0]["number"])
        if not mine:
            return
    since, last = base[0]["number"], (mine or base)[-1]
    sigma2 = records.variance(room.store, room.sid, since, last["number"])
    book = books.start(room.baseline, [r["val_bpb"] for r in base], sigma2)
    if mine and found:
        mean = sum(r["val_bpb"] for r in mine) / len(mine)
        book = Book(found[0].commit, mean, sigma2 / len(mine), book.b_base, book.v_base)
    with room.store.atomic():
        write_book(room, last, "start", book, sigma2, since)
    found = records.book(room.store, room.sid)
    assert found is not None, "it has just been written"
    _point(room, found[0].commit)
    room.say("step", f"the baseline is booked at {book.b_base:.5f}", round=0, step="baseline")


def _point(room: Room, commit: str) -> None:
    """Let the session's branch follow the book, also where a kill came between the two."""
    ref = f"refs/heads/council/{room.name}"
    if room.repo.get_ref(ref) != commit:
        room.repo.set_ref(ref, commit)


def _moved(room: Room, book: Row) -> str:
    """Why what is measured now cannot be compared with the booked baseline, or ''."""
    first = room.store.one("experiments", session=room.sid, number=book["since"])
    if first and first["budget"] != room.budget:
        return f"the budget was {first['budget']}, is {room.budget}"
    last = room.store.one("measurements", order="number DESC", session=room.sid, status="ok")
    return comparable(room, last, book["since"]) if last and last["number"] > book["number"] else ""


async def _measure(room: Room, role: Role, commit: str, after: int) -> list[Row]:
    """WANTED successful runs of a commit numbered above `after`, all under the same conditions; none after a stop."""
    while True:
        done = [
            room.store.decode("measurements", r)
            for r in room.store.query(RUNS.format(where="e.number > ? AND e.round = 0"), room.sid, after)
            if r["role"] == role
        ]
        if done and done[-1]["status"] is None and not room.stopping:
            await run_job(room, Due(0, role, None, commit, done[-1]))
            continue
        good = [r for r in done if r["status"] == "ok"]
        same = [
            r for r in good if (r["fingerprint"], r["conditions"]) == (good[-1]["fingerprint"], good[-1]["conditions"])
        ]
        if len(same) >= WANTED:
            return same[-WANTED:]
        if room.stopping:
            return []
        _give_up(room, done, role)
        await run_job(room, Due(0, role, None, commit))


def _give_up(room: Room, done: list[Row], role: Role) -> None:
    """Raise when another run would not help."""
    fresh = [r for r in done if r["at"] >= room.started]
    bad = [r for r in fresh if r["status"] != "ok"]
    spoilt = [r for r in bad if r["status"] == "void"]
    if len(spoilt) >= TRIES or len(fresh) >= MOST:
        last = (spoilt or fresh)[-1]
        raise MachineFault(
            f"the {role.value} could not be measured: {last['reason'] or 'the conditions keep changing'}",
            hint="See `council doctor`.",
        )
    if len(bad) > len(spoilt):
        last = next(r for r in reversed(bad) if r["status"] != "void")
        raise BaselineError(
            f"the {role.value} itself does not run: {last['status']}: {last['reason']}",
            hint="Mend lab/train.py, commit it, and start a new session.",
        )
