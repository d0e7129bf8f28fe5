"""A running session at a glance: the status, the staircase, and what each member is doing in the present round.

`read` costs a few dozen milliseconds; a face that redraws every second asks `changed` first. How to extend: a new state
of a member is a table that tells it, in STATES, and its step's place in STEPS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from council.views import leaderboard, sessions, staircase, status
from council.views.leaderboard import Standing
from council.views.once import Once, anew, heads
from council.views.sessions import Row
from council.views.staircase import Staircase
from council.views.status import Status

if TYPE_CHECKING:
    from council.store import Store

STEPS = ("propose", "repair", "debate", "answer", "rank", "late_repair")
"""The steps at which a member is asked, in their order; its answer to critics is a second attempt at debate."""

STATES = (
    ("critiques", "member", "debate", "criticised"),
    ("responses", "member", "answer", "answered"),
    ("ballots", "judge", "rank", "voted"),
)
"""Tables that say how far a member has come in a round, beside proposals and outcomes: (table, who, step, state)."""


@dataclass(frozen=True)
class Seat:
    """One member: what it does now, its place on the leaderboard, and what it has cost."""

    name: str
    state: str
    rank: int | None
    run: int
    kept: int
    reputation: float | None
    spread: float | None
    brier: float | None
    cost_usd: float


@dataclass(frozen=True)
class Watch:
    """Everything a live view shows. `total` is the number of rounds the session was opened for."""

    status: Status
    staircase: Staircase
    seats: tuple[Seat, ...]
    total: int | None


def changed(store: Store) -> int:
    """A number that grows with every row that any session records."""
    return store.head()[0]


def read(store: Store, name: str | None = None, once: Once = anew) -> Watch:
    """The named session, or the last one."""
    session = sessions.find(store, name)
    found = status.read(store, session["name"], once)
    stop = session["config"].get("stop") if isinstance(session["config"], dict) else None
    total = stop.get("rounds") if isinstance(stop, dict) else None
    states = _states(store, session["id"], found.round)
    board = leaderboard.read(store, session["name"], once)
    stairs = ("staircase", session["id"], *heads(store, staircase.READS))
    return Watch(
        status=found,
        staircase=once(stairs, lambda: staircase.read(store, session["name"])),
        seats=_seats(board.members, states),
        total=total if isinstance(total, int) else None,
    )


def _seats(members: tuple[Standing, ...], states: dict[str, str]) -> tuple[Seat, ...]:
    present = sorted(members, key=lambda m: bool(m.absent))
    return tuple(
        Seat(
            name=m.name,
            state="absent" if m.absent else states.get(m.name, states[""]),
            rank=None if m.absent else place,
            run=m.run,
            kept=m.kept,
            reputation=m.skill if _spread(m) else None,
            spread=_spread(m),
            brier=m.brier,
            cost_usd=m.cost_usd,
        )
        for place, m in enumerate(present, 1)
    )


def _spread(m: Standing) -> float | None:
    """Half the width of the interval of its skill; None also while there is nobody to compare it with."""
    wide = None if m.skill_low is None or m.skill_high is None else (m.skill_high - m.skill_low) / 2
    return wide if wide and wide >= 0.005 else None


def _states(store: Store, session: int, round_: int | None) -> dict[str, str]:
    """What each member has done in a round; under '' what holds for the others."""
    key: Row = {"session": session, "round": round_}
    done = not round_ or store.one("tallies", **key) is not None or store.one("experiments", **key) is not None
    found = {"": "waiting" if done else "thinking"}
    if not round_:
        return found
    reached: list[tuple[int, str, str]] = []
    for row in store.rows("proposals", **key):
        reached.append((_place(row), row["member"], "repaired" if "repair" in row["step"] else "proposed"))
    for table, who, step, state in STATES:
        reached += [(STEPS.index(step), row[who], state) for row in store.rows(table, **key)]
    for row in store.rows("outcomes", **key):
        reached.append((_place(row), row["member"], row["kind"].replace("_", " ")))
    return found | {member: state for _, member, state in sorted(reached, key=lambda one: one[0])}


def _place(row: Row) -> int:
    """Where in the round the step stands at which a proposal or an outcome was recorded."""
    step = "answer" if row["step"] == "debate" and row["attempt"] > 1 else row["step"]
    return STEPS.index(step) if step in STEPS else 0
