"""The closing: fresh pairs of baseline and incumbent on the vault, the only runs that may confirm a gain.

Runs when a session has done its rounds, unless nothing was tried since the last one, and whenever `council confirm`
asks. A further closing of the same two codes is a further look: it counts their earlier pairs too, at a stricter level.
Pairs alternate in order; a killed closing goes on at the first missing run. What the pairs say is a row of `closings`;
a confirmed incumbent gets the ref `refs/council/<session>/best`. The formulas are in `council/judge/closing.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from council import records
from council.errors import MachineFault
from council.judge import closing as rule
from council.room import Room
from council.running import RUNS, TRIES, Due, run_job
from council.settling import TRIALS, comparable, write_book
from council.store import Row, Store, now
from council.types import Book, Role

Pair = tuple[Row, Row]


class Stopped(Exception):
    """Somebody asked for a stop while a closing was held; what has run is kept, and the next closing goes on there."""


async def close_session(room: Room, setting: int | str, *, again: bool = False) -> Row | None:
    """Run the pairs that `setting` asks for and record what they say; None if there is nothing to confirm.

    Where nothing was tried since the last closing of this code, that one is returned, unless asked for `again`.
    """
    found = records.book(room.store, room.sid)
    assert found is not None, "round 0 books the baseline"
    book, at = found
    closings = room.store.rows("closings", session=room.sid)
    held = [row for row in closings if row["inputs"]["commit"] == book.commit]
    if held and not again and not _tried_since(room, held[-1]):
        return held[-1]
    plan = rule.plan(setting, len(room.store.rows("experiments", session=room.sid)), len(held) + 1)
    if book.commit == room.baseline or not plan.blocks:
        return None
    after = closings[-1]["inputs"]["numbers"][-1] if closings else 0
    pooled = _pooled(room, at, held)
    wanted, closed, pairs = 0, None, []
    for block in plan.blocks:
        if closed is not None and not closed.again:
            break
        wanted += block
        room.say("step", f"closing: {wanted} pairs of baseline and best on data nobody has seen", step="closing")
        pairs = [await _pair(room, book, at, after, index) for index in range(wanted)]
        earlier = others(room.store, at, pooled, pairs)
        closed = rule.close(*values([*pooled, *pairs]), pairs[0][0]["s0"], earlier, plan, len(pooled))
    assert closed is not None, "a plan has blocks"
    return _record(room, book, at, Look(len(held) + 1, pooled, pairs, closed))


def _tried_since(room: Room, closing: Row) -> bool:
    """Whether an edit was measured after a closing."""
    last = closing["inputs"]["numbers"][-1]
    return any(r["number"] > last and r["role"] in TRIALS for r in room.store.rows("experiments", session=room.sid))


def _pooled(room: Room, at: Row, held: list[Row]) -> list[Pair]:
    """The pairs of earlier looks that were measured under the conditions of the booked baseline."""
    rows = room.store.query(RUNS.format(where="e.role = 'closing'"), room.sid)
    runs = {r["number"]: room.store.decode("measurements", r) for r in rows}
    pairs = [(runs[base], runs[mine]) for row in held for base, mine in row["inputs"]["pairs"]]
    return [pair for pair in pairs if not any(comparable(room, run, at["since"]) for run in pair)]


def values(pairs: Sequence[Pair]) -> tuple[list[float], list[float]]:
    """BPBs of the baseline and of the incumbent, in order of the pairs."""
    return [base["val_bpb"] for base, _ in pairs], [mine["val_bpb"] for _, mine in pairs]


def others(store: Store, at: Row, pooled: Sequence[Pair], pairs: Sequence[Pair]) -> list[list[float]]:
    """Per code and split the runs before these pairs that inform σ, without those of the pooled pairs themselves."""
    counted = {run["number"] for pair in pooled for run in pair}
    until = min(run["number"] for pair in pairs for run in pair) - 1
    return records.groups(store, at["session"], at["since"], until, counted)


async def _pair(room: Room, book: Book, at: Row, after: int, index: int) -> Pair:
    """The (baseline, incumbent) runs of pair `index`; the order in which they run alternates."""
    sides = (room.baseline, book.commit)
    done = {side: await _run(room, at, side, after, index) for side in (sides if index % 2 == 0 else sides[::-1])}
    return done[sides[0]], done[sides[1]]


async def _run(room: Room, at: Row, commit: str, after: int, index: int) -> Row:
    """The closing run of a commit for pair `index`, measured now unless it was. Raises Stopped before a run."""
    voids = 0
    while True:
        rows = room.store.query(RUNS.format(where="e.number > ? AND e.role = 'closing'"), room.sid, after)
        mine = [room.store.decode("measurements", r) for r in rows if r["parent"] == commit]
        good = [r for r in mine if r["status"] == "ok" and not comparable(room, r, at["since"])]
        if len(good) > index:
            return good[index]
        if room.stopping:
            raise Stopped
        if mine and mine[-1]["status"] is None:
            await run_job(room, Due(0, Role.CLOSING, None, commit, mine[-1]))
            continue
        voids += 1
        if voids > TRIES:
            reason = mine[-1]["reason"] or comparable(room, mine[-1], at["since"]) if mine else "it did not run"
            raise MachineFault(f"a closing run failed {TRIES} times: {reason}", hint="Then: council confirm")
        await run_job(room, Due(0, Role.CLOSING, None, commit))


@dataclass(frozen=True)
class Look:
    """The k-th closing of the same two codes: pairs of earlier ones, its own, and what they say together."""

    k: int
    pooled: list[Pair]
    pairs: list[Pair]
    closed: rule.Closed


def _record(room: Room, book: Book, at: Row, look: Look) -> Row:
    closed = look.closed
    numbers = sorted(run["number"] for pair in look.pairs for run in pair)
    last = room.store.one("experiments", session=room.sid, number=numbers[-1])
    assert last is not None, "it was measured"
    inputs = {
        "numbers": numbers,
        "pairs": [[base["number"], mine["number"]] for base, mine in look.pairs],
        "look": look.k,
        "pooled": [[base["number"], mine["number"]] for base, mine in look.pooled],
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
    row = room.store.get("closings", made)
    room.say("step", sentence(row), step="closing")
    return row


def sentence(row: Row) -> str:
    """What a closing says, in words."""
    gain, low, level = row["gain"], row["low"], 100 * row["inputs"]["level"]
    over = f"{row['pairs']} fresh pairs, look {row['inputs']['look']} at {level:.6g} %"
    if row["confirmed"]:
        return f"confirmed gain {gain:.5f} BPB, at least {low:.5f} ({over})"
    return f"no confirmed gain: {gain:+.5f} BPB, lower bound {low:+.5f} ({over})"
