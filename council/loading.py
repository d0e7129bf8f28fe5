"""An exported session as a database again: `python -m council.loading EXPORT.jsonl[.gz] FOLDER`.

Why: a night that was kept as `council export` wrote it can be looked at with every face, without the machine it ran on.
Rows keep their ids and their lines of the ledger, so the chain can be checked where the export held its only session;
commits come in a bundle (`docs/nights/README.md`). What is read is data of strangers: only known tables and
columns are taken. How to extend: a table or column that a newer council adds is known by its schema.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from council.errors import CouncilError, UsageError
from council.store import LEDGER, TABLES, Row, Store

PACKED = b"\x1f\x8b"
"""How a packed file begins."""
HINT = "Give a file that `council export` has written."


def load(export: Path, database: Path) -> None:
    """Make a database from an export. Raises UsageError if there is one already, or the export is none."""
    if database.exists():
        raise UsageError(f"{database} exists already", hint="Name a folder in which no session has run.")
    part = database.with_name(f".{database.name}.part")
    part.unlink(missing_ok=True)
    try:
        with closing(Store(part)) as store:
            _fill(store, export)
        part.rename(database)
    finally:
        for left in database.parent.glob(f"{part.name}*"):
            left.unlink()


def _fill(store: Store, export: Path) -> None:
    try:
        store.restore(_checked(_lines(export), export))
    except ValueError as error:  # a column is missing, two rows have one key, a reference leads nowhere
        raise UsageError(f"{export} does not fit together: {error}") from error
    if store.one("sessions") is None:
        raise UsageError(f"{export} holds no session", hint=HINT)


def _lines(export: Path) -> Iterator[tuple[int, str]]:
    """(number, text) of every line of a file, packed or not."""
    try:
        with export.open("rb") as file:
            packed = file.read(2) == PACKED
        with gzip.open(export, "rt", encoding="utf-8") if packed else export.open(encoding="utf-8") as lines:
            yield from enumerate(lines, 1)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UsageError(f"{export} cannot be read: {error}") from error


def _checked(lines: Iterable[tuple[int, str]], export: Path) -> Iterator[tuple[str, Row]]:
    """(table, row) of every line; UsageError names the line that is no row of a table we know."""
    for number, line in lines:
        try:
            row = json.loads(line)
            tbl = row.pop("table")
            known = LEDGER if tbl == "ledger" else TABLES[tbl]
            strange = row.keys() - known.columns.keys() - {"id"}
        except (ValueError, AttributeError, KeyError, TypeError):
            raise UsageError(f"{export}, line {number} is no row of a session", hint=HINT) from None
        if strange:
            raise UsageError(f"{export}, line {number}: {tbl} has no column {min(strange)[:60]!r}")
        yield tbl, row


def main() -> int:
    """The command."""
    if len(sys.argv) != 3:
        print(__doc__.splitlines()[0], file=sys.stderr)
        return 2
    export, folder = map(Path, sys.argv[1:])
    try:
        load(export, folder / ".council" / "council.db")
    except CouncilError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"look at it: council -C {folder} serve (the folder must be a git repository: git init {folder})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
