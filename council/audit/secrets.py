"""Secrets: no text of the database may hold anything with the shape of a key.

How to extend: the shapes stand in `council/redact.py`; a new free text of the schema is looked through by itself.
"""

from __future__ import annotations

from council import redact
from council.audit.findings import Findings
from council.store import TABLES, Store


def check(store: Store, found: Findings) -> None:
    """Look through every text column of every table; what is found is named by its place, never shown."""
    for tbl, table in TABLES.items():
        columns = [c for c, kind in table.columns.items() if kind is str]
        if not columns:
            continue
        with found.reading(f"secrets in {tbl}"):
            for row in store.query(f"SELECT id, {', '.join(f'[{c}]' for c in columns)} FROM [{tbl}]"):
                for column in columns:
                    if isinstance(row[column], str) and any(True for _ in redact.find(row[column])):
                        found.add("secret", f"{tbl} {row['id']}.{column}", "it holds something shaped like a key")
