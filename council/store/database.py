"""One SQLite file holds every session; this is how rows get in and out.

The database is the only truth: a step writes its rows in one `atomic()` block under its natural key, then the session
goes on; a resumed session finds them and does not repeat the step. `insert` adds the row's ledger line in the same
transaction. Readers get plain dictionaries with JSON columns decoded.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from council import redact
from council.errors import StoreEmpty, StoreError, StoreUnusable
from council.store.free_text import FREE_TEXT
from council.store.ledger import GENESIS, canonical, link
from council.store.migrations import STEPS
from council.store.schema import TABLES

Row = dict[str, Any]
APPLICATION_ID = 0x636F756E  # "coun": tells our database from any other file
BUSY_SECONDS = 10.0


def now() -> float:
    """Seconds since the epoch, to the millisecond; the only clock of the store."""
    return round(time.time(), 3)


class Store:
    """The database of one repository. One writer at a time (`council/lock.py`), any number of readers."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self.secrets: tuple[str, ...] = ()  # values of keys, which no recorded text may hold
        with _explained(self):
            _placed(path)
            if read_only and not path.exists():
                raise _none(f"there is no {path}")
            self._db = Database(_connect(path, read_only), execute_plugins=False, recursive_triggers=False)
            self._prepare()

    def _prepare(self) -> None:
        conn = self._db.conn
        version = conn.execute("PRAGMA user_version").fetchone()[0]
        ours = conn.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        empty = conn.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if not ours and not empty:
            raise StoreUnusable(f"{self.path} is a database of another program", hint="Move it away and run again.")
        if version > len(STEPS):
            raise StoreUnusable(
                f"{self.path} has version {version}, this council knows up to {len(STEPS)}",
                hint="Use the newer council that wrote it.",
            )
        if self.read_only:
            if empty and not version:
                raise _none(f"{self.path} holds nothing")
            if version < len(STEPS):
                raise StoreUnusable(
                    f"{self.path} has version {version}, this council reads {len(STEPS)}",
                    hint="Run `council run` once to bring it up to date.",
                )
            return
        if empty:
            conn.execute("PRAGMA page_size=8192")
        conn.execute("PRAGMA journal_mode=WAL")
        conn.execute("PRAGMA synchronous=FULL")
        conn.execute("PRAGMA foreign_keys=ON")
        for number in range(version, len(STEPS)):
            with self._db.atomic():
                STEPS[number](self._db)
                conn.execute(f"PRAGMA user_version={number + 1}")
                conn.execute(f"PRAGMA application_id={APPLICATION_ID}")

    def close(self) -> None:
        """Close the connection; the write-ahead log is folded in by the last one to leave."""
        self._db.close()

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """One transaction: all rows inserted inside are recorded together or not at all."""
        with _explained(self), self._db.atomic():
            yield

    def insert(self, tbl: str, row: Mapping[str, object]) -> int:
        """Record a row and its ledger line; returns its id. JSON columns take any JSON value."""
        table = TABLES[tbl]
        free = FREE_TEXT.get(tbl, ())
        safe = {c: redact.clean(row.get(c), self.secrets) if c in free else row.get(c) for c in table.columns}
        record = {c: _cell(value, c in table.json) for c, value in safe.items()}
        with self.atomic():
            cursor = self._db.execute(_insertion(tbl, record), list(record.values()))
            row_id = int(cursor.lastrowid or 0)
            self._append(tbl, row_id)
        return row_id

    def _append(self, tbl: str, row_id: int) -> None:
        seq, prev = self.head()
        at = now()
        sha256, line = link(seq + 1, at, tbl, row_id, self.verbatim(tbl, row_id), prev)
        self._db.execute(
            "INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?)", [seq + 1, at, tbl, row_id, sha256, prev, line]
        )

    def restore(self, rows: Iterable[tuple[str, Row]]) -> None:
        """Fill an empty database with (table, row) pairs as they were exported, lines of the ledger included.

        Raises ValueError if they do not fit together.
        """
        try:
            with self.atomic():
                self._db.execute("PRAGMA defer_foreign_keys=ON")  # books and rounds refer to each other
                for tbl, row in rows:
                    json_columns = TABLES[tbl].json if tbl in TABLES else ()
                    record = {c: _cell(value, c in json_columns) for c, value in row.items()}
                    self._db.execute(_insertion(tbl, record), list(record.values()))
        except sqlite3.IntegrityError as error:
            raise ValueError(str(error)) from error

    def head(self) -> tuple[int, str]:
        """(number of lines, hash of the last line) of the ledger."""
        found = self._db.execute("SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1").fetchone()
        return (int(found[0]), str(found[1])) if found else (0, GENESIS)

    def verbatim(self, tbl: str, row_id: int) -> Row:
        """A row exactly as stored, JSON columns as text; what its ledger line is computed from."""
        return next(self.query(f"SELECT * FROM [{tbl}] WHERE id = ?", row_id))

    def rows(self, tbl: str, order: str = "id", **where: object) -> list[Row]:
        """All rows whose columns equal the given values (None matches NULL), in the order of `order`."""
        clause = " AND ".join(f"[{c}] IS ?" for c in where) or "1"
        found = self.query(f"SELECT * FROM [{tbl}] WHERE {clause} ORDER BY {order}", *where.values())
        return [self.decode(tbl, row) for row in found]

    def one(self, tbl: str, order: str = "id", **where: object) -> Row | None:
        """The first such row in the given order, or None."""
        clause = " AND ".join(f"[{c}] IS ?" for c in where) or "1"
        found = next(
            self.query(f"SELECT * FROM [{tbl}] WHERE {clause} ORDER BY {order} LIMIT 1", *where.values()), None
        )
        return None if found is None else self.decode(tbl, found)

    def get(self, tbl: str, row_id: int) -> Row:
        """The row with this id. Raises StoreError if there is none."""
        found = self.one(tbl, id=row_id)
        if found is None:
            raise StoreError(f"{tbl} has no row {row_id}", hint="Run `council audit`.")
        return found

    def decode(self, tbl: str, row: Row) -> Row:
        """The row with its JSON columns as values."""
        columns = TABLES[tbl].json if tbl in TABLES else ()
        return {c: json.loads(v) if c in columns and v is not None else v for c, v in row.items()}

    def query(self, sql: str, *values: object) -> Iterator[Row]:
        """Rows of a read-only query as dictionaries."""
        with _explained(self):
            cursor = self._db.execute(sql, list(values))
            names = [d[0] for d in cursor.description or ()]
            found = cursor.fetchall()
        return (dict(zip(names, values_, strict=True)) for values_ in found)

    @property
    def inside(self) -> bool:
        """Whether a transaction is open."""
        return hasattr(self, "_db") and bool(self._db.conn.in_transaction)

    def begun(self) -> bool:
        """Whether any session is recorded; False also where nothing can be asked."""
        with suppress(sqlite3.Error, AttributeError):
            return self._db.execute("SELECT 1 FROM sessions LIMIT 1").fetchone() is not None
        return False

    def broken_references(self) -> list[Row]:
        """Rows whose foreign key points nowhere, as SQLite finds them."""
        return list(self.query("SELECT [table] AS tbl, rowid AS row_id, parent FROM pragma_foreign_key_check"))


def _placed(path: Path) -> None:
    """Refuse what is no file in the place of one: SQLite tells a folder as a broken disk, and waits for a pipe."""
    home = path.parent
    for place, held, what in ((home, home.is_dir(), "folder"), (path, path.is_file(), "file")):
        if place.exists() and not held:
            raise StoreUnusable(f"{place} is not a {what}", hint="Look at what it is, move it away, and run again.")


def _connect(path: Path, read_only: bool) -> sqlite3.Connection:
    if read_only:
        return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
    path.parent.mkdir(parents=True, exist_ok=True)
    return sqlite3.connect(path, timeout=BUSY_SECONDS)


def _insertion(tbl: str, record: Row) -> str:
    columns = ", ".join(f"[{c}]" for c in record)
    return f"INSERT INTO [{tbl}] ({columns}) VALUES ({', '.join('?' * len(record))})"


def _cell(value: object, as_json: bool) -> object:
    """A value as SQLite keeps it; text that is not valid Unicode is replaced, never refused. ValueError on NaN."""
    if as_json and value is not None:
        value = canonical(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a number that can be recorded")  # SQLite would make NaN a silent NULL
    if isinstance(value, bool):
        return int(value)
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


def _none(what: str) -> StoreEmpty:
    return StoreEmpty(f"no session has run here yet: {what}", hint="Start one: council run --offline --rounds 2")


@contextmanager
def _explained(store: Store) -> Iterator[None]:
    """SQLite's errors in the words of a user, once the transaction at hand is undone."""
    path, read_only = store.path, store.read_only
    if store.inside:
        yield  # the outermost block tells it
        return
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "readonly" in text or "unable to open" in text:
            told = f"{path} cannot be {'read' if read_only else 'written'}: {text}"
            raise StoreUnusable(told, hint="Check its owner and permissions.") from error
        if read_only:
            hint = "Try again; if it stays, run `council audit`, and restore a backup of the file."
            raise StoreError(f"{path} could not be read: {text}", kept="Nothing was changed.", hint=hint) from error
        begun = store.begun()
        raise StoreError(
            f"{path} could not be written: {text}",
            kept="Every finished step is kept." if begun else "No session had begun.",
            hint=f"Free some disk space, then `council run{' --resume' if begun else ''}`.",
        ) from error
    except PermissionError as error:
        raise StoreUnusable(f"{path} cannot be opened: {error.strerror}", hint="Check its permissions.") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # a schema of noise breaks even SQLite's message
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.InterfaceError):
            raise  # ours to mend, not the user's
        raise StoreUnusable(f"{path} is not a usable database: {error}", hint="Move it away and run again.") from error
