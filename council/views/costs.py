"""What a session cost: dollars and tokens of the members, and the time of the device.

Dollars are those that the cap counts: a call without a reply, lost at a kill or still in flight, stands for what was
set aside for it, since it may have been paid for.
Device time is what experiments took; idle time is the rest of the time in which a run of the session was alive. A
session that was resumed counts each of its runs, not the pause between them. How to extend: a new kind of cost is a
field and one query.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from council.views import sessions
from council.views.once import Once, anew, heads

if TYPE_CHECKING:
    from council.store import Store


SPENT = "coalesce(r.cost_usd, c.reserved_usd)"
"""Dollars that a call counts for, in SQL over `calls c LEFT JOIN replies r`."""


@dataclass(frozen=True)
class Spent:
    """What one member's calls cost, `unanswered_usd` of it set aside for calls without a reply.

    `lost` calls have no reply; `seconds` is the time providers took.
    """

    member: str
    calls: int
    lost: int
    tokens_in: int
    tokens_cached: int
    tokens_out: int
    cost_usd: float
    unanswered_usd: float
    seconds: float


@dataclass(frozen=True)
class Costs:
    """The whole session. `wall` is the time its runs were alive, `device` the time experiments took."""

    members: tuple[Spent, ...]
    wall: float
    device: float
    training: float
    experiments: int

    @property
    def idle(self) -> float:
        """Seconds in which a run was alive and no experiment ran."""
        return max(0.0, self.wall - self.device)

    @property
    def cost_usd(self) -> float:
        """Dollars of all members."""
        return sum(member.cost_usd for member in self.members)

    @property
    def unanswered_usd(self) -> float:
        """Dollars of them that are set aside for calls without a reply."""
        return sum(member.unanswered_usd for member in self.members)

    @property
    def calls(self) -> int:
        """Calls of all members."""
        return sum(member.calls for member in self.members)

    def tokens(self) -> tuple[int, int]:
        """Tokens in and out of all members."""
        return sum(m.tokens_in for m in self.members), sum(m.tokens_out for m in self.members)

    def as_json(self) -> dict[str, object]:
        """Plain data for machines."""
        return {**asdict(self), "idle": self.idle, "cost_usd": self.cost_usd, "unanswered_usd": self.unanswered_usd}


_CALLS = (
    "SELECT c.member, count(*) AS calls, sum(r.id IS NULL) AS lost, sum(coalesce(r.tokens_in, 0)) AS tokens_in, "
    "sum(coalesce(r.tokens_cached, 0)) AS tokens_cached, sum(coalesce(r.tokens_out, 0)) AS tokens_out, "
    f"sum({SPENT}) AS cost_usd, sum(CASE WHEN r.id IS NULL THEN c.reserved_usd ELSE 0.0 END) AS unanswered_usd, "
    "sum(coalesce(r.seconds, 0.0)) AS seconds "
    "FROM calls c LEFT JOIN replies r ON r.call = c.id WHERE c.session = ? GROUP BY c.member ORDER BY cost_usd DESC, 1"
)
_DEVICE = (
    "SELECT count(*) AS n, coalesce(sum(total_seconds), 0.0) AS total, coalesce(sum(train_seconds), 0.0) AS train "
    "FROM measurements WHERE session = ?"
)
_MOMENTS = (
    "SELECT at, 0 AS ends FROM rounds WHERE session = ?1 UNION ALL SELECT at, 0 FROM experiments WHERE session = ?1 "
    "UNION ALL SELECT at, 0 FROM measurements WHERE session = ?1 "
    "UNION ALL SELECT at, 1 FROM session_ends WHERE session = ?1 ORDER BY at, ends"
)


def spent(store: Store, session: int, once: Once = anew) -> tuple[Spent, ...]:
    """What each member's calls cost in a session, the dearest member first; the one sum that every face shows."""
    key = ("spent", session, *heads(store, ("calls", "replies")))
    return once(key, lambda: tuple(Spent(**row) for row in store.query(_CALLS, session)))


def read(store: Store, name: str | None = None, once: Once = anew) -> Costs:
    """The costs of the named session, or of the last one."""
    session = sessions.find(store, name)
    device = next(store.query(_DEVICE, session["id"]))
    return Costs(
        members=spent(store, session["id"], once),
        wall=_alive(session["at"], [(row["at"], bool(row["ends"])) for row in store.query(_MOMENTS, session["id"])]),
        device=device["total"],
        training=device["train"],
        experiments=device["n"],
    )


def _alive(start: float, moments: list[tuple[float, bool]]) -> float:
    """Seconds between the start and the end of each run of the session."""
    total, begin, last = 0.0, start, start
    ended = False
    for at, ends in moments:
        if ended:
            begin, ended = at, False
        last = at
        if ends:
            total, ended = total + max(0.0, at - begin), True
    return total if ended else total + max(0.0, last - begin)
