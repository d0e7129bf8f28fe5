"""The rounds of a session as a list: filtered by verdict and member, searched, sorted, in pages.

One query counts and one reads, however many rounds there are. How to extend: a new filter is a field of Asked and a
condition; a new order is a line in ORDERS.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from council.views import sessions
from council.views.costs import SPENT
from council.views.sessions import Row

if TYPE_CHECKING:
    from council.store import Store

PAGE = 50

ORDERS = {
    "round": "[round]",
    "bpb": "bpb IS NULL, bpb",
    "delta": "delta IS NULL, delta",
    "belief": "belief IS NULL, belief",
    "member": "member",
    "cost": "cost_usd",
}
"""What a list can be sorted by, ascending."""

VERDICTS = ("keep", "discard", "crash", "rejected", "void", "replicate", "back", "open")


@dataclass(frozen=True)
class Asked:
    """Which rounds, in which order. `open` rounds have neither verdict nor replicate."""

    verdict: str = ""
    member: str = ""
    text: str = ""
    sort: str = "round"
    down: bool = True
    page: int = 1


@dataclass(frozen=True)
class Line:
    """One round: what ran and what came of it."""

    round: int
    at: float
    verdict: str
    reason: str
    bpb: float | None
    delta: float | None
    sigmas: float | None
    belief: float | None
    member: str
    title: str
    back: bool
    proposals: int
    cost_usd: float


@dataclass(frozen=True)
class Rounds:
    """One page of the list; `total` counts what the filters let through."""

    lines: tuple[Line, ...]
    total: int
    page: int
    pages: int
    members: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Plain data for machines."""
        return asdict(self)


_LIST = """
SELECT r.[round], r.at, coalesce(v.kind, CASE WHEN EXISTS (SELECT 1 FROM experiments x WHERE x.session = r.session
  AND x.[round] = r.[round] AND x.role = 'replicate') THEN 'replicate' ELSE 'open' END) AS verdict,
  coalesce(v.reason, '') AS reason, v.bpb, v.delta, v.sigmas, v.belief, coalesce(p.member, '') AS member,
  coalesce(p.title, '') AS title, coalesce(p.hypothesis, '') AS hypothesis,
  EXISTS (SELECT 1 FROM books b WHERE b.session = r.session AND b.[round] = r.[round] AND b.cause = 'back') AS back
FROM rounds r
LEFT JOIN verdicts v ON v.id = (SELECT w.id FROM verdicts w JOIN experiments x ON x.session = w.session
  AND x.number = w.number WHERE w.session = r.session AND w.[round] = r.[round] AND x.role IN ('trial', 'repair')
  ORDER BY w.settles DESC, w.number DESC LIMIT 1)
LEFT JOIN experiments e ON e.session = v.session AND e.number = v.number
LEFT JOIN proposals p ON p.id = e.proposal
WHERE r.session = :session
"""
_COST = (
    f"(SELECT total({SPENT}) FROM calls c LEFT JOIN replies r ON r.call = c.id "
    "WHERE c.session = {0} AND c.[round] = l.[round]) AS cost_usd"
)
_COUNT = "(SELECT count(*) FROM proposals q WHERE q.session = {0} AND q.[round] = l.[round] AND q.[replaces] IS NULL)"


def read(store: Store, asked: Asked, name: str | None = None) -> Rounds:
    """One page of the rounds of the named session, or of the last one."""
    session = int(sessions.find(store, name)["id"])
    conditions, values = _conditions(asked)
    listed = f"SELECT * FROM ({_LIST.replace(':session', str(session))}) WHERE {conditions}"
    total = int(next(store.query(f"SELECT count(*) AS n FROM ({listed})", *values))["n"])
    pages = max(1, -(-total // PAGE))
    page = min(max(1, asked.page), pages)
    order = ORDERS.get(asked.sort, ORDERS["round"]).split(", ")
    order[-1] += " DESC" if asked.down else ""
    columns = f"{_COST.format(session)}, {_COUNT.format(session)} AS proposals"
    inner = f"SELECT l.*, {columns} FROM ({listed}) l" if asked.sort == "cost" else f"SELECT l.* FROM ({listed}) l"
    limited = f"{inner} ORDER BY {', '.join(order)}, [round] DESC LIMIT {PAGE} OFFSET {(page - 1) * PAGE}"
    sql = limited if asked.sort == "cost" else f"SELECT l.*, {columns} FROM ({limited}) l"
    members = store.query("SELECT name FROM members WHERE session = ? ORDER BY name", session)
    return Rounds(
        lines=tuple(_line(row) for row in store.query(sql, *values)),
        total=total,
        page=page,
        pages=pages,
        members=tuple(row["name"] for row in members),
    )


def _conditions(asked: Asked) -> tuple[str, list[object]]:
    found, values = ["1"], list[object]()
    if asked.verdict == "back":
        found.append("back")
    elif asked.verdict:
        found.append("verdict = ?")
        values.append(asked.verdict)
    if asked.member:
        found.append("member = ?")
        values.append(asked.member)
    for word in asked.text.split()[:8]:
        found.append("instr(lower(title || ' ' || hypothesis || ' ' || reason), lower(?)) > 0")
        values.append(word)
    return " AND ".join(found), values


def _line(row: Row) -> Line:
    row.pop("hypothesis")
    return Line(**{**row, "back": bool(row["back"])})
