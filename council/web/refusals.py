"""What Datasette could not answer, in words: what was asked wrongly is 400, and no message is HTML.

How to extend: an exception that a client can cause goes into `_ASKED_WRONGLY`.
"""

from __future__ import annotations

from datasette.database import QueryInterrupted
from datasette.utils.asgi import Base400
from datasette.utils.sqlite import sqlite3
from datasette.views.base import DatasetteError

from council.views.words import clean

SECONDS = 1
"""How long one statement of SQL may take; see `docs/pages.md`."""

LONGEST = 16 << 20
"""Bytes of the longest value that a statement may make. SQLite's own limit of a gigabyte would halt the pages."""

TOO_LONG = (
    f"The statement took longer than {SECONDS} s, the limit of these pages, and was stopped. Ask for less, or take the "
    "time in a shell: sqlite3 -readonly .council/council.db"
)
_ASKED_WRONGLY = (ValueError, LookupError, OverflowError, sqlite3.Error)


def told(exception: BaseException, theirs: bool) -> tuple[int, str]:
    """Status and sentence. `theirs`: the page is one of Datasette's, which takes parameters on trust."""
    if isinstance(exception, QueryInterrupted) or getattr(exception, "title", "") == "SQL Interrupted":
        return 400, TOO_LONG
    if isinstance(exception, DatasetteError):
        return 400 if exception.status == 500 else exception.status, clean(exception, 300)  # 500 is its default
    if isinstance(exception, Base400):
        return exception.status, clean(exception, 300)
    said = f"{type(exception).__name__}: {clean(exception, 300)}"
    if theirs and isinstance(exception, _ASKED_WRONGLY):
        return 400, f"The address asks for something that cannot be read. {said}"
    return 500, said
