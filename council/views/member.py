"""One member of a session: its standing, its proposals, how its forecasts came true, and its trend.

How to extend: a new curve is a field with one query.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from council.errors import UsageError
from council.views import leaderboard, sessions
from council.views.leaderboard import Standing
from council.views.once import Once, anew
from council.views.sessions import Row
from council.views.words import clean

if TYPE_CHECKING:
    from council.store import Store

BINS = 10
PROPOSALS = 100
POINTS = 200


@dataclass(frozen=True)
class Member:
    """`reliability` holds (mean forecast, share that came true, count) per tenth; `trend` the Brier score by round."""

    standing: Standing
    options: Row
    proposals: tuple[Row, ...]
    shown: int
    reliability: tuple[tuple[float, float, int], ...]
    trend: tuple[tuple[int, float], ...]
    outcomes: dict[str, int]

    def as_json(self) -> dict[str, object]:
        """Plain data for machines."""
        return {**asdict(self), "standing": self.standing.as_json()}


_PROPOSALS = (
    "SELECT p.[round], p.title, p.family, p.forecast, k.valid, k.reason AS refused, v.kind AS verdict, v.delta, "
    "v.sigmas, e.number FROM proposals p LEFT JOIN checks k ON k.proposal = p.id "
    "LEFT JOIN experiments e ON e.proposal = p.id AND e.session = p.session AND e.[round] = p.[round] "
    "LEFT JOIN verdicts v ON v.session = e.session AND v.number = e.number "
    "WHERE p.session = ? AND p.member = ? ORDER BY p.id DESC LIMIT ?"
)


def read(store: Store, member: str, name: str | None = None, once: Once = anew) -> Member:
    """A member of the named session, or of the last one. Raises UsageError for one that is not there."""
    session = sessions.find(store, name)
    row = store.one("members", session=session["id"], name=member)
    if row is None:
        raise UsageError(f"session {clean(session['name'])} has no member {clean(member, 60)!r}")
    board = leaderboard.read(store, session["name"], once)
    kinds = "SELECT kind, count(*) AS n FROM outcomes WHERE session = ? AND member = ? GROUP BY kind"
    trend = (
        "SELECT [round], brier FROM reputation WHERE session = ? AND member = ? AND brier IS NOT NULL ORDER BY number"
    )
    points = [(r["round"], r["brier"]) for r in store.query(trend, session["id"], member)]
    return Member(
        standing=next(m for m in board.members if m.name == member),
        options=row["options"],
        proposals=tuple(store.query(_PROPOSALS, session["id"], member, PROPOSALS)),
        shown=PROPOSALS,
        reliability=_reliability(store, session["id"], member),
        trend=tuple(points[:: max(1, len(points) // POINTS)]),
        outcomes={r["kind"]: r["n"] for r in store.query(kinds, session["id"], member)},
    )


def _reliability(store: Store, session: int, member: str) -> tuple[tuple[float, float, int], ...]:
    """Settled forecasts of others' proposals in tenths."""
    sql = (
        f"SELECT avg(p) AS p, avg(outcome) AS hit, count(*) AS n FROM settlements WHERE session = ? AND judge = ? "
        f"AND own = 0 GROUP BY min({BINS - 1}, CAST(p * {BINS} AS INTEGER)) ORDER BY 1"
    )
    return tuple((r["p"], r["hit"], r["n"]) for r in store.query(sql, session, member))
