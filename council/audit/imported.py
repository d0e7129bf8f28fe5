"""Imported logs: a session that was not held here holds what a log can say, and claims nothing more.

Why: an audit computes again what was held here. A night under the mark of an import, its ballots and its confirmed
gain included, would pass unread. How to extend: what `council import` writes of another log is let through here.
"""

from __future__ import annotations

import json

from council.audit.findings import Findings
from council.store import TABLES, Row, Store

HOLDS = ("members", "rounds", "proposals", "experiments", "measurements", "verdicts", "books", "session_ends")
KIND = "imported"


def check(store: Store, session: Row, found: Findings) -> None:
    """Check that a session marked as imported is what `council import` makes."""
    name, sid = str(session["name"]), session["id"]
    config = json.loads(session["config"])
    whole = isinstance(config.get(KIND), dict) and len(config) == 1 and session["seed"] == KIND
    found.unless(whole, KIND, name, "its seed or configuration is not that of an imported log")
    for tbl, table in TABLES.items():
        if "session" in table.columns and tbl not in HOLDS:
            (row,) = store.query(f"SELECT count(*) AS n FROM [{tbl}] WHERE session = ?", sid)
            found.unless(row["n"] == 0, KIND, name, f"an imported log holds no {tbl}, this one {row['n']}")
    for row in store.rows("members", session=sid):
        found.unless(row["kind"] == KIND, KIND, name, f"its member {row['name']} is of kind {row['kind']}")
    for row in store.rows("measurements", session=sid):
        where = f"{name} x{row['number']}"
        found.unless(row["raw"] == {} and row["sandbox"] == "none", KIND, where, "it claims a measurement made here")
    for row in store.rows("verdicts", session=sid):
        where = f"{name} x{row['number']}"
        found.unless(row["inputs"] == {} and not row["settles"], KIND, where, "it claims a verdict reached here")
    for row in store.rows("session_ends", session=sid):
        told = f"it ended: {row['reason']}"
        found.unless(str(row["reason"]).startswith("imported from "), KIND, name, told)
