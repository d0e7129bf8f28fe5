"""Whether the full-text index says of every reply what its text says; SQLite's own check leaves such an index out.

FTS5 can compare an index with its texts, but only where it may write. So both are copied to a database of their own,
and compared there: `fault` says what was found.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from council.store.migrations import statements

INDEX = "replies_fts"
SHADOWS = {"data": "id, block", "idx": "segid, term, pgno", "docsize": "id, sz", "config": "k, v"}
"""The tables in which FTS5 keeps an index, and their columns."""


def fault(path: Path) -> str:
    """What is wrong with the index of the database at `path`, or ''. Raises sqlite3.Error if it cannot be read."""
    with tempfile.TemporaryDirectory(prefix="council-search-") as folder:
        copy = Path(folder) / "index.db"
        _copy(path, copy)
        with closing(sqlite3.connect(copy, isolation_level=None)) as db:
            try:
                db.execute(f"INSERT INTO [{INDEX}] ([{INDEX}], rank) VALUES ('integrity-check', 1)")
            except sqlite3.DatabaseError as error:
                return str(error)
    return ""


def _copy(path: Path, copy: Path) -> None:
    with closing(sqlite3.connect(copy, isolation_level=None, uri=True)) as db:
        db.execute("ATTACH ? AS night", [f"{path.resolve().as_uri()}?mode=ro"])
        db.execute("PRAGMA main.journal_mode=OFF")
        db.execute("PRAGMA main.synchronous=OFF")
        db.execute("BEGIN")
        db.execute("CREATE TABLE main.replies (id INTEGER PRIMARY KEY, text TEXT)")
        db.execute("INSERT INTO main.replies SELECT id, text FROM night.replies")
        made = next(sql for (_, name, _), sql in statements().items() if name == INDEX)
        db.execute(made.replace("CREATE VIRTUAL TABLE ", "CREATE VIRTUAL TABLE main."))
        for shadow, columns in SHADOWS.items():
            db.execute(f"DELETE FROM main.[{INDEX}_{shadow}]")
            db.execute(
                f"INSERT INTO main.[{INDEX}_{shadow}] ({columns}) SELECT {columns} FROM night.[{INDEX}_{shadow}]"
            )
        db.execute("COMMIT")
