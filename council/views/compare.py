"""All sessions in a list, and two of them side by side.

Two sessions compare only when measured under the same conditions on the same data; `comparable` says so. How to extend:
a new figure is a field of Line or a row of the comparison.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from council.views import costs, sessions, status
from council.views.costs import Costs
from council.views.once import Once, anew
from council.views.sessions import Row
from council.views.status import Status

if TYPE_CHECKING:
    from council.store import Store

MOST = 200
"""Sessions that a list shows, the newest."""


@dataclass(frozen=True)
class Line:
    """One session in the list. `gain` is baseline minus best, None while the best is the baseline."""

    name: str
    began: float
    ended: str | None
    rounds: int
    kept: int
    best: float | None
    baseline: float | None
    gain: float | None
    sigma: float | None
    cost_usd: float

    @property
    def sigmas(self) -> float | None:
        """The gain in units of the noise."""
        return None if self.gain is None or self.sigma is None else self.gain / self.sigma


@dataclass(frozen=True)
class Side:
    """One of two sessions."""

    status: Status
    costs: Costs


@dataclass(frozen=True)
class Pair:
    """Two sessions; `differs` says which conditions are not the same (name, one, other)."""

    one: Side
    other: Side
    differs: tuple[tuple[str, str, str], ...]

    def as_json(self) -> dict[str, object]:
        """Plain data for machines."""
        return asdict(self)


_LIST = (
    "SELECT s.name, s.at AS began, "
    "(SELECT reason FROM session_ends x WHERE x.session = s.id ORDER BY x.id DESC LIMIT 1) AS ended, "
    "(SELECT count(*) FROM rounds r WHERE r.session = s.id) AS rounds, "
    "(SELECT count(*) FROM verdicts v WHERE v.session = s.id AND v.kind = 'keep') AS kept, "
    "b.b AS best, CASE WHEN b.[commit] = s.[commit] THEN b.b ELSE b.b_base END AS baseline, "
    "CASE WHEN b.[commit] != s.[commit] THEN b.b_base - b.b END AS gain, nullif(b.sigma, 0) AS sigma, "
    f"(SELECT total({costs.SPENT}) FROM calls c LEFT JOIN replies r ON r.call = c.id WHERE c.session = s.id) "
    "AS cost_usd FROM sessions s LEFT JOIN books b ON b.id = (SELECT max(id) FROM books WHERE session = s.id) "
    "ORDER BY s.id DESC LIMIT ?"
)


def every(store: Store) -> tuple[Line, ...]:
    """The sessions, newest first."""
    return tuple(Line(**row) for row in store.query(_LIST, MOST))


def names(store: Store) -> tuple[str, ...]:
    """Their names alone, which cost nothing to read."""
    return tuple(row["name"] for row in store.query("SELECT name FROM sessions ORDER BY id DESC LIMIT ?", MOST))


def read(store: Store, one: str, other: str, once: Once = anew) -> Pair:
    """Two sessions by name. Raises UsageError for one that is not there."""
    sides = [Side(status.read(store, name, once), costs.read(store, name, once)) for name in (one, other)]
    return Pair(sides[0], sides[1], _differs(_conditions(store, one), _conditions(store, other)))


def _conditions(store: Store, name: str) -> Row:
    """Under what and on what a session's first run was measured."""
    found = store.one("measurements", session=sessions.find(store, name)["id"], status="ok")
    return {} if found is None else {**found["conditions"], "data": found["fingerprint"], "sandbox": found["sandbox"]}


def _differs(one: Row, other: Row) -> tuple[tuple[str, str, str], ...]:
    keys = sorted({*one, *other})
    return tuple((k, str(one.get(k, "")), str(other.get(k, ""))) for k in keys if one.get(k) != other.get(k))
