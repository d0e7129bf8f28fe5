"""Which session a command means: the last one, or one by name.

How to extend: everything that several views ask of a session goes here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from council.errors import UsageError
from council.views.words import clean

if TYPE_CHECKING:
    from council.store import Store

Row = dict[str, Any]
_SHOWN = 8


def find(store: Store, name: str | None = None) -> Row:
    """The row of the named session, or of the last one. Raises UsageError that names what there is."""
    found = store.one("sessions", name=name) if name else store.one("sessions", order="id DESC")
    if found is not None:
        return found
    if name is None:
        raise UsageError("the database holds no session yet", hint="Start one: council run --offline --rounds 2")
    recent = [clean(row["name"]) for row in store.query("SELECT name FROM sessions ORDER BY id DESC LIMIT ?", _SHOWN)]
    raise UsageError(f"there is no session {clean(name)!r}", hint=f"Sessions here, newest first: {', '.join(recent)}")


def last_round(store: Store, session: int) -> int | None:
    """The highest round that has begun, 0 when only the baseline has, None before that."""
    last = next(store.query("SELECT max([round]) AS last FROM rounds WHERE session = ?", session))["last"]
    return last if last is not None or store.one("experiments", session=session) is None else 0


def finished(store: Store, session: int, last: int | None) -> bool:
    """Whether this round, the last that began, has its verdict or its replicate."""
    if last is None:
        return False
    settled = "SELECT 1 FROM verdicts WHERE session = ?1 AND [round] = ?2 AND settles = 1"
    booked = "SELECT 1 FROM books WHERE session = ?1 AND [round] = ?2 AND cause IN ('replicate', 'start')"
    return next(store.query(f"{settled} UNION ALL {booked} LIMIT 1", session, last), None) is not None


def rounds_done(store: Store, session: int) -> int:
    """Rounds from 1 on that came to an end."""
    last = last_round(store, session)
    return 0 if not last else last if finished(store, session, last) else last - 1
