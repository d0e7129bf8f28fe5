"""The schema: what the database is made of is what the council makes, to the letter, and nothing stands beside it.

Why to the letter: a trigger that refuses changes can be taken away, but also be given a condition that never holds, and
another one can swallow rows before they are recorded. So the council's own schema is built in memory by the same steps
and compared. An index on plain columns changes nothing of what is read, and is let be.

Where a table is another one, a view that never ends may stand in its place, and an index may compute whatever it likes:
nothing of such a database is read.
"""

from __future__ import annotations

import re

from council.audit.findings import Findings
from council.store import OBJECTS, Store, statements

COMPUTED = """
SELECT (SELECT count(*) FROM pragma_index_xinfo(i.name) WHERE cid = -2) + i.partial AS n
FROM pragma_index_list(?) i WHERE i.name = ?
"""
"""Whether an index has a column or a condition that is computed."""


def check(store: Store, found: Findings) -> bool:
    """Compare every table, index, trigger and view with the council's; returns whether its tables can be read."""
    wanted, readable = statements(), True
    there = {(r["type"], r["name"], r["tbl_name"]): r["sql"] for r in store.query(OBJECTS)}
    shadows = tuple(f"{name}_" for (_, name, _), sql in wanted.items() if sql.startswith("CREATE VIRTUAL TABLE"))
    for (kind, name, tbl), sql in wanted.items():
        fault = ""
        if (kind, name, tbl) not in there:
            fault = "is missing"
        elif not _same(there[kind, name, tbl], sql, by_sqlite=name.startswith(shadows)):
            fault = "is not as the council makes it"
        if fault:
            found.add("schema", tbl, f"the {kind} {name} {fault}")
            readable &= kind != "table"
    for kind, name, tbl in sorted(there.keys() - wanted.keys()):
        computed = kind == "index" and any(row["n"] for row in store.query(COMPUTED, tbl, name))
        if kind != "index" or computed:
            found.add("schema", tbl, f"there is a {kind} {name}, which the council did not make")
            readable &= not computed
    return readable


def _same(sql: object, wanted: str, by_sqlite: bool) -> bool:
    """Whether two definitions are one; what SQLite words itself may be quoted and spaced as its version likes."""
    if by_sqlite:
        return _bare(str(sql)) == _bare(wanted)
    return sql == wanted


def _bare(sql: str) -> str:
    return re.sub(r"[\s\"'\[\]`]+", "", sql).lower()
