"""Which session a command means: the last one, or one by name.

An imported log is a session too, but nobody forecast or voted in it, so it is the last one only where there is no
other. Where nothing says what its noise was, σ is recorded as 0 and told as unknown.

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
_IMPORTED = "CASE WHEN json_valid(config) THEN json_type(config, '$.imported') END IS NOT NULL"
DECIDED = f"(settles = 1 OR kind = 'void' OR session IN (SELECT id FROM sessions WHERE {_IMPORTED}))"
"""Which verdicts are the last word on their experiment: of an imported log all, though they settle nothing."""


def find(store: Store, name: str | None = None) -> Row:
    """The row of the named session, or of the last one. Raises UsageError that names what there is."""
    found = store.one("sessions", name=name) if name else store.one("sessions", order=f"{_IMPORTED}, id DESC")
    if found is not None:
        return found
    if name is None:
        raise UsageError("the database holds no session yet", hint="Start one: council run --offline --rounds 2")
    recent = [clean(row["name"]) for row in store.query("SELECT name FROM sessions ORDER BY id DESC LIMIT ?", _SHOWN)]
    raise UsageError(f"there is no session {clean(name)!r}", hint=f"Sessions here, newest first: {', '.join(recent)}")


def known(noise: float) -> float | None:
    """A recorded standard deviation or variance; None where it is unknown."""
    return noise or None


def last_round(store: Store, session: int) -> int | None:
    """The highest round that has begun, 0 when only the baseline has, None before that."""
    last = next(store.query("SELECT max([round]) AS last FROM rounds WHERE session = ?", session))["last"]
    return last if last is not None or store.one("experiments", session=session) is None else 0


def finished(store: Store, session: int, last: int | None) -> bool:
    """Whether this round, the last that began, has its verdict or its replicate."""
    if last is None:
        return False
    settled = f"SELECT 1 FROM verdicts WHERE session = ?1 AND [round] = ?2 AND kind <> 'void' AND {DECIDED}"
    booked = "SELECT 1 FROM books WHERE session = ?1 AND [round] = ?2 AND cause IN ('replicate', 'start')"
    return next(store.query(f"{settled} UNION ALL {booked} LIMIT 1", session, last), None) is not None


def rounds_done(store: Store, session: int) -> int:
    """Rounds from 1 on that came to an end."""
    last = last_round(store, session)
    return 0 if not last else last if finished(store, session, last) else last - 1
