"""A running session at a glance: the status, the staircase, and what each member is doing in the present round.

`read` costs a few dozen milliseconds; a face that redraws every second asks `changed` first. How to extend: a new state
of a member is a table that tells it, in STATES.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from council.views import leaderboard, sessions, staircase, status
from council.views.leaderboard import Standing
from council.views.sessions import Row
from council.views.staircase import Staircase
from council.views.status import Status

if TYPE_CHECKING:
    from council.store import Store

STATES = (
    ("ballots", "judge", "voted"),
    ("responses", "member", "answered"),
    ("critiques", "member", "criticised"),
    ("proposals", "member", "proposed"),
)
"""Tables that say how far a member has come in a round, the latest step first: (table, who, state)."""


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


def read(store: Store, name: str | None = None) -> Watch:
    """The named session, or the last one."""
    session = sessions.find(store, name)
    found = status.read(store, session["name"])
    stop = session["config"].get("stop") if isinstance(session["config"], dict) else None
    total = stop.get("rounds") if isinstance(stop, dict) else None
    states = _states(store, session["id"], found.round)
    board = leaderboard.read(store, session["name"])
    return Watch(
        status=found,
        staircase=staircase.read(store, session["name"]),
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
            reputation=m.skill,
            spread=None if m.skill_low is None or m.skill_high is None else (m.skill_high - m.skill_low) / 2,
            brier=m.brier,
            cost_usd=m.cost_usd,
        )
        for place, m in enumerate(present, 1)
    )


def _states(store: Store, session: int, round_: int | None) -> dict[str, str]:
    """What each member has done in a round; under '' what holds for the others."""
    key: Row = {"session": session, "round": round_}
    done = not round_ or store.one("tallies", **key) is not None or store.one("experiments", **key) is not None
    found = {"": "waiting" if done else "thinking"}
    if not round_:
        return found
    for table, who, state in reversed(STATES):
        found.update({row[who]: state for row in store.rows(table, **key)})
    found.update({row["member"]: row["kind"].replace("_", " ") for row in store.rows("outcomes", **key)})
    return found
