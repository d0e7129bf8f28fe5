"""What failed in a session and why: experiments, proposals the guard refused, members that delivered nothing.

How to extend: a new kind of failure is a tuple of its own with one query.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from council.views import sessions
from council.views.words import clean

if TYPE_CHECKING:
    from council.store import Store

REASON = 100
"""Refusals are counted by this much of their reason."""


@dataclass(frozen=True)
class Failed:
    """One experiment that gave no measurement. `tail` is the end of its log."""

    number: int
    round: int
    kind: str
    member: str
    title: str
    reason: str
    tail: str


@dataclass(frozen=True)
class Refused:
    """How often the guard refused proposals for one reason."""

    reason: str
    count: int


@dataclass(frozen=True)
class Missed:
    """How often a member delivered nothing for one kind of reason; `detail` is the last."""

    member: str
    kind: str
    count: int
    detail: str


@dataclass(frozen=True)
class Failures:
    """Everything that failed."""

    experiments: tuple[Failed, ...]
    refused: tuple[Refused, ...]
    missed: tuple[Missed, ...]

    def as_json(self) -> dict[str, object]:
        """Plain data for machines."""
        return asdict(self)


_FAILED = (
    "SELECT e.number, e.[round], coalesce(v.kind, m.status) AS kind, coalesce(p.member, '') AS member, "
    "coalesce(p.title, '') AS title, coalesce(v.reason, m.reason) AS reason, coalesce(l.tail, '') AS tail "
    "FROM experiments e JOIN measurements m ON m.session = e.session AND m.number = e.number "
    "LEFT JOIN verdicts v ON v.session = e.session AND v.number = e.number "
    "LEFT JOIN logs l ON l.session = e.session AND l.number = e.number "
    "LEFT JOIN proposals p ON p.id = e.proposal "
    "WHERE e.session = ? AND (m.status != 'ok' OR v.kind IN ('crash', 'rejected', 'void')) ORDER BY e.number"
)
_CHECKS = "SELECT reason, count(*) AS n FROM checks WHERE session = ? AND valid = 0 GROUP BY reason"
_OUTCOMES = (
    "SELECT member, kind, count(*) AS count, max(id) AS last FROM outcomes WHERE session = ?1 AND kind != 'abstained' "
    "GROUP BY member, kind ORDER BY 3 DESC, 1, 2"
)


def read(store: Store, name: str | None = None) -> Failures:
    """The failures of the named session, or of the last one."""
    session = sessions.find(store, name)["id"]
    reasons: Counter[str] = Counter()
    for row in store.query(_CHECKS, session):
        reasons[clean(row["reason"].split("\n")[0], REASON)] += row["n"]
    details = f"SELECT o.member, o.kind, o.count, d.detail FROM ({_OUTCOMES}) o JOIN outcomes d ON d.id = o.last"
    return Failures(
        experiments=tuple(Failed(**row) for row in store.query(_FAILED, session)),
        refused=tuple(Refused(reason, count) for reason, count in reasons.most_common()),
        missed=tuple(Missed(**row) for row in store.query(details, session)),
    )
