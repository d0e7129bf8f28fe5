"""The ledger and the rows: every line follows the one before, every row has its line and is as it was recorded.

Also what SQLite itself can say: pages and indexes, and foreign keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from council.audit.findings import Findings
from council.audit.rows import batches
from council.store import GENESIS, TABLES, Store, digest

NUMBERED = ("measurements", "logs", "verdicts", "books", "settlements", "reputation")
"""Tables whose rows belong to an experiment by session and number."""


@dataclass
class Ledger:
    """The lines by number, which line is of which row, and the last line that a commit vouches for."""

    hashes: dict[int, str] = field(default_factory=dict)
    rows: dict[str, dict[int, tuple[int, str]]] = field(default_factory=dict)
    anchored: int = 0

    def line_of(self, tbl: str, row_id: int) -> int:
        """The number of a row's line; 0 if it has none."""
        return self.rows.get(tbl, {}).get(row_id, (0, ""))[0]


def check(store: Store, found: Findings) -> Ledger:
    """Check the database as such; returns the ledger for those who compare it with git."""
    ledger = Ledger()
    with found.reading("database"):
        for row in store.query("PRAGMA integrity_check(20)"):
            found.unless(row["integrity_check"] == "ok", "database", str(store.path.name), row["integrity_check"])
    with found.reading("ledger"):
        _links(store, ledger, found)
    for tbl in TABLES:
        with found.reading(tbl):
            _rows(store, tbl, ledger, found)
    with found.reading("references"):
        _references(store, found)
    return ledger


def _links(store: Store, ledger: Ledger, found: Findings) -> None:
    last, prev = 0, GENESIS
    for line in batches(store, "ledger", "seq"):
        seq, where = line["seq"], f"ledger line {line['seq']}"
        if seq != last + 1:
            found.add("ledger", where, f"lines {last + 1} to {seq - 1} are missing")
        if line["prev"] != prev:
            found.add("ledger", where, "it does not follow the line before it")
        with found.reading(where):
            made = digest([seq, line["at"], line["tbl"], line["row_id"], line["sha256"], line["prev"]])
            found.unless(line["hash"] == made, "ledger", where, "its hash is not the hash of what it says")
            if line["tbl"] not in TABLES:
                found.add("ledger", where, f"it names the table {line['tbl']}, which holds no rows")
            ledger.rows.setdefault(line["tbl"], {})[line["row_id"]] = (seq, line["sha256"])
        ledger.hashes[seq] = line["hash"]
        last, prev = seq, line["hash"]


def _rows(store: Store, tbl: str, ledger: Ledger, found: Findings) -> None:
    lines = ledger.rows.get(tbl, {})
    seen = set()
    for row in batches(store, tbl, "id"):
        where = f"{tbl} row {row['id']}"
        seen.add(row["id"])
        seq, sha256 = lines.get(row["id"], (0, ""))
        if not seq:
            found.add("row", where, "it has no line in the ledger: it was not recorded by the council")
            continue
        with found.reading(where):
            if digest(row) != sha256:
                found.add("row", where, f"it is not as ledger line {seq} recorded it")
    for row_id, (seq, _) in lines.items():
        if row_id not in seen:
            found.add("row", f"{tbl} row {row_id}", f"ledger line {seq} recorded it, and it is gone")


def _references(store: Store, found: Findings) -> None:
    for row in store.broken_references():
        where = f"{row['tbl']} row {row['row_id']}"
        found.add("reference", where, f"it refers to a row of {row['parent']} that is gone")
    for tbl in NUMBERED:
        orphans = store.query(
            f"SELECT t.id, t.number FROM [{tbl}] t WHERE NOT EXISTS "
            "(SELECT 1 FROM experiments e WHERE e.session = t.session AND e.number = t.number)"
        )
        for row in orphans:
            found.add("reference", f"{tbl} row {row['id']}", f"there is no experiment x{row['number']}")
