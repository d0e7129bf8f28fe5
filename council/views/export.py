"""A session as data: every row of it, or a line per experiment.

`rows` yields whatever the session recorded, table by table, JSON columns decoded, each table with the lines of the
ledger over its rows; `council/loading.py` makes a database of that again. `experiments` is one flat table for a
spreadsheet. How to extend: new tables arrive by themselves; a new column of the flat table is a line of its query.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from council.store.schema import TABLES
from council.views import sessions
from council.views.sessions import Row

if TYPE_CHECKING:
    from council.store import Store

CHUNK = 500
"""Rows read at once."""

EXPERIMENTS = (
    "SELECT s.name AS session, e.[round], e.number, e.role, p.member, p.title, p.family, p.forecast AS own_forecast, "
    "coalesce(v.kind, m.status) AS verdict, coalesce(v.reason, m.reason) AS reason, m.val_bpb AS bpb, "
    "v.booked_before, v.delta, v.sigmas, v.belief, "
    "(SELECT b.b FROM books b WHERE b.session = e.session AND b.number <= e.number ORDER BY b.id DESC LIMIT 1) "
    "AS booked_after, e.[commit], e.parent, CAST(e.seed AS TEXT) AS seed, e.budget, m.train_seconds, m.total_seconds, "
    "m.sandbox, e.at AS began, m.at AS ended FROM experiments e JOIN sessions s ON s.id = e.session "
    "LEFT JOIN measurements m ON m.session = e.session AND m.number = e.number "
    "LEFT JOIN verdicts v ON v.session = e.session AND v.number = e.number "
    "LEFT JOIN proposals p ON p.id = e.proposal WHERE e.session = ? ORDER BY e.number"
)


def rows(store: Store, name: str | None = None) -> Iterator[Row]:
    """Every row of a session, with its table, and every line of the ledger over them."""
    session = sessions.find(store, name)["id"]
    for table in TABLES:
        if table == "sessions":
            where = "x.id = ?"
        elif table == "replies":
            where = "x.call IN (SELECT id FROM calls WHERE session = ?)"
        else:
            where = "x.session = ?"
        for row in _read(store, f"SELECT x.* FROM [{table}] x WHERE {where}", "x.id", session):
            yield {"table": table, **store.decode(table, row)}
        lines = f"SELECT l.* FROM [{table}] x JOIN ledger l ON l.tbl = '{table}' AND l.row_id = x.id WHERE {where}"
        for row in _read(store, lines, "l.seq", session):
            yield {"table": "ledger", **row}


def _read(store: Store, sql: str, key: str, session: int) -> Iterator[Row]:
    """The rows of a query in the order of their key, a chunk at a time."""
    last = 0
    while True:
        found = list(store.query(f"{sql} AND {key} > ? ORDER BY {key} LIMIT {CHUNK}", session, last))
        yield from found
        if len(found) < CHUNK:
            break
        last = found[-1][key.partition(".")[2]]


def experiments(store: Store, name: str | None = None) -> Iterator[Row]:
    """A flat row per experiment of a session."""
    return store.query(EXPERIMENTS, sessions.find(store, name)["id"])
