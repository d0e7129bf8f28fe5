"""The schema: what the database is made of is what the council makes, to the letter, and nothing stands beside it.

Why to the letter: a trigger that refuses changes can be taken away, but also be given a condition that never holds, and
another one can swallow rows before they are recorded. So the council's own schema is built in memory by the same steps
and compared. An index that someone added changes nothing of what is read, and is let be.
"""

from __future__ import annotations

from council.audit.findings import Findings
from council.store import OBJECTS, Store, statements


def check(store: Store, found: Findings) -> None:
    """Compare every table, index, trigger and view with the council's."""
    wanted = statements()
    there = {(r["type"], r["name"], r["tbl_name"]): r["sql"] for r in store.query(OBJECTS)}
    shadows = tuple(f"{name}_" for (_, name, _), sql in wanted.items() if sql.startswith("CREATE VIRTUAL TABLE"))
    for (kind, name, tbl), sql in wanted.items():
        if (kind, name, tbl) not in there:
            found.add("schema", tbl, f"the {kind} {name} is missing")
        elif there[kind, name, tbl] != sql and not name.startswith(shadows):  # those SQLite words itself
            found.add("schema", tbl, f"the {kind} {name} is not as the council makes it")
    for kind, name, tbl in sorted(there.keys() - wanted.keys()):
        if kind != "index":
            found.add("schema", tbl, f"there is a {kind} {name}, which the council did not make")
