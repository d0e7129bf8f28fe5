"""What keeps the terminal of whoever serves inert: nothing of a request is printed, and what is printed cannot act.

Why: any web page can send a request to this machine, and SQLite repeats names in its messages, so an error that is
printed would carry escapes to the terminal. How to extend: a library that prints of its own accord is silenced here.
"""

from __future__ import annotations

import io
import warnings
from typing import Any, TextIO

from datasette.database import Database, Results
from datasette.utils.sqlite import sqlite3

from council.web.guard import visible

sqlite3.enable_callback_tracebacks(False)  # Datasette turns them on: a failing SQL function would print its argument
warnings.filterwarnings("ignore", r"coroutine '.*' was never awaited", RuntimeWarning)  # left by a facet that fails


class Quiet(Database):
    """A database whose errors go to the page that asked, and to nobody else."""

    async def execute(self, sql: str, params: Any = None, **options: Any) -> Results:
        """As Datasette's, but without its line on stderr for statements that fail."""
        return await super().execute(sql, params, **{**options, "log_sql_errors": False})


class Inert(io.TextIOBase):
    """A stream in place of stderr: what a library prints after all arrives with its control characters visible."""

    def __init__(self, under: TextIO) -> None:
        self.under = under

    def write(self, text: str) -> int:
        """Write the text, inert."""
        self.under.write(visible(text))
        return len(text)

    def flush(self) -> None:
        """As of the stream below."""
        self.under.flush()
