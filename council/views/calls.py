"""The calls of a round verbatim: what was asked, what came back, what it cost; and the logs of its experiments.

`show` prints these, the pages link to them one by one. Texts are as stored: a face makes them inert. How to extend: a
new column of `calls` or `replies` is a field of Call.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from council.errors import UsageError
from council.views import sessions
from council.views.sessions import Row
from council.views.words import clean

if TYPE_CHECKING:
    from council.store import Store


@dataclass(frozen=True)
class Call:
    """One request and its reply; a call that was lost has status `lost` and no text."""

    id: int
    round: int
    step: str
    member: str
    attempt: int
    turn: int
    at: float
    provider: str
    model: str
    request: Any
    reserved_usd: float
    status: str
    text: str
    raw: Any
    tokens_in: int | None
    tokens_cached: int | None
    tokens_out: int | None
    cost_usd: float | None
    seconds: float | None

    def as_json(self) -> dict[str, object]:
        """Plain data for machines."""
        return asdict(self)

    def messages(self) -> list[tuple[str, str]]:
        """(role, text) of what was asked; a request of another shape is shown as JSON."""
        request = self.request if isinstance(self.request, dict) else {}
        found = [("system", _text(request[key])) for key in ("system", "instructions") if request.get(key)]
        turns = request.get("messages") or request.get("input") or []
        if isinstance(turns, str):
            return [*found, ("user", turns)]
        if isinstance(turns, list):
            found += [(str(t.get("role", "user")), _text(t.get("content"))) for t in turns if isinstance(t, dict)]
        return found or [("request", json.dumps(self.request, indent=2, ensure_ascii=False, default=str))]


@dataclass(frozen=True)
class Log:
    """The end of an experiment's log, and its losses as (seconds, step, loss)."""

    number: int
    role: str
    tail: str
    curve: list[list[float | None]]


_SQL = (
    "SELECT c.id, c.[round], c.step, c.member, c.attempt, c.turn, c.at, c.provider, c.model, c.request, "
    "c.reserved_usd, coalesce(r.status, 'lost') AS status, coalesce(r.text, '') AS text, r.raw, r.tokens_in, "
    "r.tokens_cached, r.tokens_out, r.cost_usd, r.seconds FROM calls c LEFT JOIN replies r ON r.call = c.id "
)


def read(store: Store, round_: int, name: str | None = None, member: str | None = None) -> tuple[Call, ...]:
    """The calls of a round, of one member or of all, in the order in which they were made."""
    session = sessions.find(store, name)
    if member is not None and store.one("members", session=session["id"], name=member) is None:
        known = [clean(m["name"], 40) for m in store.rows("members", session=session["id"])]
        raise UsageError(f"there is no member {clean(member, 60)!r}", hint=f"Members: {', '.join(known)}")
    sql = f"{_SQL} WHERE c.session = ?1 AND c.[round] = ?2 AND (?3 IS NULL OR c.member = ?3) ORDER BY c.id"
    return tuple(_call(row) for row in store.query(sql, session["id"], round_, member))


def one(store: Store, number: int) -> Call | None:
    """The call with this id."""
    row = next(store.query(f"{_SQL} WHERE c.id = ?", number), None)
    return None if row is None else _call(row)


def logs(store: Store, round_: int, name: str | None = None) -> tuple[Log, ...]:
    """The logs of a round's experiments."""
    session = sessions.find(store, name)["id"]
    sql = (
        "SELECT e.number, e.role, l.tail, l.curve FROM experiments e "
        "JOIN logs l ON l.session = e.session AND l.number = e.number "
        "WHERE e.session = ? AND e.[round] = ? ORDER BY e.number"
    )
    return tuple(Log(**store.decode("logs", row)) for row in store.query(sql, session, round_))


def _call(row: Row) -> Call:
    loaded = {key: json.loads(row[key]) if row[key] is not None else None for key in ("request", "raw")}
    return Call(**{**row, **loaded})


def _text(content: object) -> str:
    """The text of a message, whose content may be a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part.get("text", part)) if isinstance(part, dict) else str(part) for part in content)
    return json.dumps(content, ensure_ascii=False, default=str)
