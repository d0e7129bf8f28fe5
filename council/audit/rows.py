"""How an audit reads rows: a table as a whole a few rows at a time, and the sessions that were held here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

from council.store import Row, Store

BATCH = 200
"""Rows read at a time; a row may hold a whole reply."""


def batches(store: Store, tbl: str, key: str) -> Iterator[Row]:
    """Every row in the order of its key; StoreError names what cannot be read."""
    found = list(store.query(f"SELECT * FROM [{tbl}] ORDER BY [{key}] LIMIT {BATCH}"))
    while found:
        yield from found
        last = found[-1][key]
        found = list(store.query(f"SELECT * FROM [{tbl}] WHERE [{key}] > ? ORDER BY [{key}] LIMIT {BATCH}", last))


def sessions(store: Store) -> list[Row]:
    """All sessions, oldest first."""
    return list(store.query('SELECT id, name, seed, "commit", config FROM sessions ORDER BY id'))


def imported(session: Row) -> bool:
    """Whether a session is another program's log: nothing in it was measured here, and it owns no ref."""
    with suppress(ValueError, TypeError, RecursionError):
        config = json.loads(session["config"])
        return isinstance(config, dict) and "imported" in config
    return False
