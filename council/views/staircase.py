"""The staircase of a session: every experiment in order, and what was booked after it.

Closing runs are scored on another text, so they have no place on its axis. `read` is two queries however long the night
was. Faces draw it as a chart, a text sparkline or rows of JSON. How to extend: a new mark is a new value of `Run.kind`,
with its sign in `views/words.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from council.views import sessions

if TYPE_CHECKING:
    from council.store import Store


@dataclass(frozen=True)
class Run:
    """One experiment. `kind` is its verdict, else its role when it has none, else `running`."""

    number: int
    round: int
    role: str
    kind: str
    bpb: float | None
    member: str
    title: str
    at: float


@dataclass(frozen=True)
class Booking:
    """The book after experiment `number`: the best with its standard deviation, and the noise of one run."""

    number: int
    round: int
    cause: str
    best: float
    best_sd: float | None
    baseline: float
    sigma: float | None


@dataclass(frozen=True)
class Staircase:
    """A session's experiments and bookings, both in order of the experiments."""

    session: str
    runs: tuple[Run, ...]
    bookings: tuple[Booking, ...]

    def as_json(self) -> dict[str, object]:
        """Plain data for machines."""
        runs, bookings = ([dict(vars(one)) for one in found] for found in (self.runs, self.bookings))
        return {"session": self.session, "runs": runs, "bookings": bookings}


_RUNS = (
    "SELECT e.number, e.[round], e.role, e.at, m.status, m.val_bpb AS bpb, v.kind, p.member, p.title "
    "FROM experiments e LEFT JOIN measurements m ON m.session = e.session AND m.number = e.number "
    "LEFT JOIN verdicts v ON v.session = e.session AND v.number = e.number "
    "LEFT JOIN proposals p ON p.id = e.proposal WHERE e.session = ? AND e.split = 'validation' ORDER BY e.number"
)
_BOOKS = "SELECT number, [round], cause, b, v, b_base, sigma FROM books WHERE session = ? ORDER BY id"
READS = ("proposals", "experiments", "measurements", "verdicts", "books")
"""The tables it depends on."""
_FAILED = {"timeout": "crash", "oom": "crash"}


def read(store: Store, name: str | None = None) -> Staircase:
    """The staircase of the named session, or of the last one."""
    session = sessions.find(store, name)
    return Staircase(
        session=session["name"],
        runs=tuple(
            Run(
                number=row["number"],
                round=row["round"],
                role=row["role"],
                kind=row["kind"] or _kind(row["role"], row["status"]),
                bpb=row["bpb"],
                member=row["member"] or "",
                title=row["title"] or "",
                at=row["at"],
            )
            for row in store.query(_RUNS, session["id"])
        ),
        bookings=tuple(
            Booking(
                number=row["number"],
                round=row["round"],
                cause=row["cause"],
                best=row["b"],
                best_sd=sessions.known(math.sqrt(row["v"])),
                baseline=row["b_base"],
                sigma=sessions.known(row["sigma"]),
            )
            for row in store.query(_BOOKS, session["id"])
        ),
    )


def _kind(role: str, status: str | None) -> str:
    """What an experiment without a verdict counts as: running, failed, or its role."""
    if status is None:
        return "running"
    return role if status == "ok" else _FAILED.get(status, status)
