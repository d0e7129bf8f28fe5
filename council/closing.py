"""The closing: fresh pairs of baseline and incumbent on the vault, the only runs that may confirm a gain.

Runs when a session has done its rounds, and whenever `council confirm` asks. Pairs alternate in order; a killed closing
goes on at the first missing run. What the pairs say is a row of `closings`; a confirmed incumbent gets the ref
`refs/council/<session>/best`. The formulas are in `council/judge/closing.py`.
"""

from __future__ import annotations

from council import records
from council.errors import MachineFault
from council.judge import closing as rule
from council.room import Room
from council.running import RUNS, TRIES, Due, run_job
from council.settling import comparable, write_book
from council.store import Row, now
from council.types import Book, Role


async def close_session(room: Room, setting: int | str) -> Row | None:
    """Run the pairs that `setting` asks for and record what they say; None if there is nothing to confirm."""
    found = records.book(room.store, room.sid)
    assert found is not None, "round 0 books the baseline"
    book, at = found
    plan = rule.plan(setting, len(room.store.rows("experiments", session=room.sid)))
    if book.commit == room.baseline or not plan.blocks:
        return None
    last = room.store.one("closings", order="id DESC", session=room.sid)
    after = last["inputs"]["numbers"][-1] if last else 0
    wanted, closed, pairs = 0, None, []
    for block in plan.blocks:
        if closed is not None and not closed.again:
            break
        wanted += block
        room.say("step", f"closing: {wanted} pairs of baseline and best on data nobody has seen", step="closing")
        pairs = [await _pair(room, book, at, after, index) for index in range(wanted)]
        values = [[run["val_bpb"] for run in side] for side in zip(*pairs, strict=True)]
        earlier = records.groups(room.store, room.sid, at["since"], min(r["number"] for p in pairs for r in p) - 1)
        closed = rule.close(values[0], values[1], pairs[0][0]["s0"], earlier, plan)
    assert closed is not None, "a plan has blocks"
    return _record(room, book, at, pairs, closed)


async def _pair(room: Room, book: Book, at: Row, after: int, index: int) -> tuple[Row, Row]:
    """The (baseline, incumbent) runs of pair `index`; the order in which they run alternates."""
    sides = (room.baseline, book.commit)
    done = {side: await _run(room, at, side, after, index) for side in (sides if index % 2 == 0 else sides[::-1])}
    return done[sides[0]], done[sides[1]]


async def _run(room: Room, at: Row, commit: str, after: int, index: int) -> Row:
    """The closing run of a commit for pair `index`, measured now unless it was."""
    voids = 0
    while True:
        rows = room.store.query(RUNS.format(where="e.number > ? AND e.role = 'closing'"), room.sid, after)
        mine = [room.store.decode("measurements", r) for r in rows if r["parent"] == commit]
        if mine and mine[-1]["status"] is None:
            await run_job(room, Due(0, Role.CLOSING, None, commit, mine[-1]))
            continue
        good = [r for r in mine if r["status"] == "ok" and not comparable(room, r, at["since"])]
        if len(good) > index:
            return good[index]
        voids += 1
        if voids > TRIES:
            reason = mine[-1]["reason"] or comparable(room, mine[-1], at["since"]) if mine else "it did not run"
            raise MachineFault(f"a closing run failed {TRIES} times: {reason}", hint="Then: council confirm")
        await run_job(room, Due(0, Role.CLOSING, None, commit))


def _record(room: Room, book: Book, at: Row, pairs: list[tuple[Row, Row]], closed: rule.Closed) -> Row:
    numbers = sorted(run["number"] for pair in pairs for run in pair)
    last = room.store.one("experiments", session=room.sid, number=numbers[-1])
    assert last is not None, "it was measured"
    inputs = {
        "numbers": numbers,
        "pairs": [[base["number"], mine["number"]] for base, mine in pairs],
        "commit": book.commit,
        "level": closed.level,
        "freedom": closed.freedom,
    }
    with room.store.atomic():
        made = room.store.insert(
            "closings",
            {
                "session": room.sid,
                "at": now(),
                "pairs": closed.pairs,
                "gain": closed.gain,
                "low": closed.low,
                "sigma": closed.sigma,
                "confirmed": closed.confirmed,
                "inputs": inputs,
            },
        )
        write_book(room, last, "closing", book, closed.sigma**2, at["since"])
    if closed.confirmed:
        room.repo.set_ref(f"refs/council/{room.name}/best", book.commit)
    room.say("step", sentence(closed.confirmed, closed.gain, closed.low, closed.pairs), step="closing")
    return room.store.get("closings", made)


def sentence(confirmed: bool, gain: float, low: float, pairs: int) -> str:
    """What the closing says, in the words of every face."""
    if confirmed:
        return f"confirmed gain {gain:.5f} BPB, at least {low:.5f} ({pairs} fresh pairs)"
    return f"no confirmed gain: {gain:+.5f} BPB over {pairs} fresh pairs, lower bound {low:+.5f}"
