"""Numbered steps that bring a database to the present schema. `PRAGMA user_version` says how many have run.

Each step runs in one transaction. A step that has shipped is never edited; a change of schema is a new step.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlite_utils import Database

from council.store.schema import LEDGER, TABLES, Table


def _create(db: Database, name: str, table: Table, pk: str) -> None:
    columns = {**({} if pk in table.columns else {pk: int}), **table.columns}
    db.table(name).create(
        columns,
        pk=pk,
        not_null=[c for c in columns if c not in table.optional and c != pk],
        strict=True,
    )
    if table.key:
        db.table(name).create_index(list(table.key), unique=True)


def _forbid_changes(db: Database, name: str) -> None:
    for action in ("UPDATE", "DELETE"):
        db.execute(
            f"CREATE TRIGGER [{name}_no_{action.lower()}] BEFORE {action} ON [{name}] "
            f"BEGIN SELECT RAISE(ABORT, 'rows of {name} are never changed'); END"
        )


def first(db: Database) -> None:
    """All tables, foreign keys, the ledger, full text over replies, and the triggers that refuse changes."""
    for name, table in TABLES.items():
        _create(db, name, table, "id")
    db.add_foreign_keys([(n, column, other, "id") for n, t in TABLES.items() for column, other in t.refers.items()])
    _create(db, "ledger", LEDGER, "seq")
    db.table("replies").enable_fts(["text"], create_triggers=True)
    for name in (*TABLES, "ledger"):
        _forbid_changes(db, name)
    for name in ("proposals", "checks", "forecasts", "settlements", "books", "experiments", "verdicts", "critiques"):
        db.table(name).create_index(["session", "round"], if_not_exists=True)


STEPS: tuple[Callable[[Database], None], ...] = (first,)


OBJECTS = (
    "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE NOT (type = 'index' AND sql IS NULL) "
    "AND NOT (type = 'table' AND name IN ('sqlite_sequence', 'sqlite_stat1', 'sqlite_stat4'))"
)
"""What a database is made of, without the tables and indexes that SQLite adds for itself."""


def statements() -> dict[tuple[str, str, str], str]:
    """The SQL of everything that the present version makes, by (type, name, table)."""
    db = Database(memory=True, execute_plugins=False)
    try:
        for step in STEPS:
            step(db)
        return {(kind, name, tbl): sql for kind, name, tbl, sql in db.execute(OBJECTS).fetchall()}
    finally:
        db.close()
