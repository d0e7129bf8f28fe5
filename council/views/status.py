"""How a session stands: the booked best, the baseline, what was kept, what is running.

`read` costs the same after one round as after a thousand, but for the list of kept edits. How to extend: a new fact is
a field of Status with one indexed query.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from council.views import costs, sessions
from council.views.once import Once, anew
from council.views.sessions import Row

if TYPE_CHECKING:
    from council.store import Store


@dataclass(frozen=True)
class Booked:
    """What is believed of the incumbent and of the baseline, with standard deviations; `sigma` is the noise of a run.

    All three are None in an imported log that does not say what its noise was.

    While the incumbent is the baseline, the two are one belief of one code: `baseline` is `best` and `gain` None.
    `baseline_runs` is the mean of the baseline's own runs, without what discarded trials have shown since.

    `gain` is baseline minus best. `confirmed` is the gain that fresh pairs confirmed, None while there is none, and
    `pairs` how many pairs have tested this very code; `look` counts its closings, of which the last one speaks.
    """

    commit: str
    best: float
    best_sd: float | None
    baseline: float
    baseline_sd: float | None
    baseline_runs: float
    sigma: float | None
    gain: float | None
    is_baseline: bool
    confirmed: float | None
    pairs: int = 0
    look: int = 0

    @property
    def sigmas(self) -> float | None:
        """The gain in units of the noise."""
        return None if self.sigma is None or self.gain is None else self.gain / self.sigma


@dataclass(frozen=True)
class Kept:
    """An edit that was kept. `standing` is False once the council went back to the baseline after it."""

    round: int
    number: int
    member: str
    title: str
    bpb: float | None
    delta: float | None
    sigmas: float | None
    belief: float | None
    commit: str
    standing: bool


@dataclass(frozen=True)
class Running:
    """The last experiment, when it has no measurement yet: running, or cut off when the session stopped."""

    number: int
    round: int
    role: str
    title: str
    member: str
    since: float


@dataclass(frozen=True)
class Status:
    """One session at one moment. `ended` is why its last run stopped, None while none has stopped.

    `cost_usd` is what the cap counts, `unanswered_usd` of it set aside for calls without a reply.
    """

    session: str
    began: float
    ended: str | None
    ended_at: float | None
    rounds_done: int
    round: int | None
    budget: float | None
    members: tuple[str, ...]
    absent: tuple[tuple[str, str], ...]
    llm: bool
    booked: Booked | None
    verdicts: dict[str, int]
    replicates: int
    kept: tuple[Kept, ...]
    running: Running | None
    cost_usd: float
    unanswered_usd: float
    sandbox: str | None

    def as_json(self) -> dict[str, object]:
        """Plain data for machines."""
        return asdict(self)


def read(store: Store, name: str | None = None, once: Once = anew) -> Status:
    """The status of the named session, or of the last one."""
    row = sessions.find(store, name)
    session = int(row["id"])
    spent = costs.spent(store, session, once)
    end = store.one("session_ends", order="id DESC", session=session)
    last = sessions.last_round(store, session)
    if end is not None and _began_after(store, session, end["at"], last):
        end = None
    members = store.rows("members", session=session)
    present = [m for m in members if not m["absent"]]
    sandbox = store.one("measurements", order="number DESC", session=session)
    return Status(
        session=row["name"],
        began=row["at"],
        ended=end["reason"] if end else None,
        ended_at=end["at"] if end else None,
        rounds_done=sessions.rounds_done(store, session),
        round=last,
        budget=row["budget"],
        members=tuple(m["name"] for m in present),
        absent=tuple((m["name"], m["absent"]) for m in members if m["absent"]),
        llm=any(m["model"] for m in present),
        booked=booked(store, session),
        verdicts=_counts(store, session),
        replicates=_replicates(store, session),
        kept=_kept(store, session),
        running=_running(store, session),
        cost_usd=sum(member.cost_usd for member in spent),
        unanswered_usd=sum(member.unanswered_usd for member in spent),
        sandbox=sandbox["sandbox"] if sandbox else None,
    )


def newest(store: Store) -> str:
    """The name of the last session: the one that a running process works on."""
    return str(sessions.find(store)["name"])


def booked(store: Store, session: int) -> Booked | None:
    """The present book of a session, or None before the baseline is measured."""
    row = store.one("books", order="id DESC", session=session)
    if row is None:
        return None
    baseline = next(store.query("SELECT [commit] FROM sessions WHERE id = ?", session))["commit"]
    closing = store.one("closings", order="id DESC", session=session)
    if closing and closing["inputs"].get("commit") != row["commit"]:
        closing = None  # it tested other code
    on_it = row["commit"] == baseline
    of_baseline = ("b", "v") if on_it else ("b_base", "v_base")
    return Booked(
        commit=row["commit"],
        best=row["b"],
        best_sd=sessions.known(math.sqrt(row["v"])),
        baseline=row[of_baseline[0]],
        baseline_sd=sessions.known(math.sqrt(row[of_baseline[1]])),
        baseline_runs=row["b_base"],
        sigma=sessions.known(row["sigma"]),
        gain=None if on_it else row["b_base"] - row["b"],
        is_baseline=on_it,
        confirmed=closing["gain"] if closing and closing["confirmed"] else None,
        pairs=closing["pairs"] if closing else 0,
        look=closing["inputs"].get("look", 1) if closing else 0,
    )


def _began_after(store: Store, session: int, at: float, last: int | None) -> bool:
    """Whether the session went on after that end: a resumed run is not an ended one."""
    sql = (
        "SELECT (SELECT max(at) FROM rounds WHERE session = ?1 AND [round] = ?2) AS [round], "
        "(SELECT at FROM experiments WHERE session = ?1 ORDER BY number DESC LIMIT 1) AS run"
    )
    found = next(store.query(sql, session, last))
    return any(value is not None and value > at for value in found.values())


def _counts(store: Store, session: int) -> dict[str, int]:
    sql = f"SELECT kind, count(*) AS n FROM verdicts WHERE session = ? AND {sessions.DECIDED} GROUP BY kind"
    return {row["kind"]: row["n"] for row in store.query(sql, session)}


def _replicates(store: Store, session: int) -> int:
    sql = "SELECT count(*) AS n FROM experiments WHERE session = ? AND role = 'replicate' AND [round] > 0"
    return next(store.query(sql, session))["n"]


def _kept(store: Store, session: int) -> tuple[Kept, ...]:
    sql = (
        "SELECT v.[round], v.number, p.member, p.title, v.bpb, v.delta, v.sigmas, v.belief, e.[commit] "
        "FROM verdicts v JOIN experiments e ON e.session = v.session AND e.number = v.number "
        "LEFT JOIN proposals p ON p.id = e.proposal WHERE v.session = ? AND v.kind = 'keep' ORDER BY v.number"
    )
    rows = list(store.query(sql, session))
    back = next(store.query("SELECT max(number) AS n FROM books WHERE session = ? AND cause = 'back'", session))["n"]
    return tuple(Kept(**_named(row), standing=back is None or row["number"] > back) for row in rows)


def _running(store: Store, session: int) -> Running | None:
    sql = (
        "SELECT e.number, e.[round], e.role, p.title, p.member, e.at AS since FROM experiments e "
        "LEFT JOIN proposals p ON p.id = e.proposal LEFT JOIN measurements m "
        "ON m.session = e.session AND m.number = e.number "
        "WHERE e.session = ?1 AND m.id IS NULL AND e.number = (SELECT max(number) FROM experiments WHERE session = ?1)"
    )
    row = next(store.query(sql, session), None)
    return None if row is None else Running(**_named(row))


def _named(row: Row) -> Row:
    return {**row, "title": row["title"] or "", "member": row["member"] or ""}
