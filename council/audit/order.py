"""Order: rows stand in the ledger as a session makes them, round after round, and none comes after its end.

Why: a row may be sound in itself and follow from nothing, such as a call or an outcome. Chained to the last line of an
ended night it contradicts no number and no commit; here it is found by where it stands. A run that goes on begins with
the round that its last end left open. How to extend: a table without a session or a round of its own gets its line in
ROUNDS.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from council.audit.chain import Ledger
from council.audit.findings import Findings
from council.audit.history import Refs
from council.store import TABLES, Row, Store

ENDS = "session_ends"
ROUNDS = {
    "members": "SELECT id, -1 AS round FROM members WHERE session = ?",
    ENDS: "SELECT id, rounds + (exit_code = 0) AS round FROM session_ends WHERE session = ?",
    "replies": "SELECT r.id, c.round FROM replies r JOIN calls c ON c.id = r.call WHERE c.session = ?",
    **{
        tbl: f"SELECT x.id, e.round FROM {tbl} x JOIN experiments e ON e.session = x.session AND e.number = x.number "
        "WHERE x.session = ?"
        for tbl in ("measurements", "logs")
    },
}
"""How to find the round of a table's rows; of an end, the first round that may go on after it."""
ANYTIME = ("experiments", "measurements", "logs", "books")
"""What round 0 consists of: baselines, measured again where conditions change, and closings."""


def check(store: Store, session: Row, ledger: Ledger, found: Findings) -> None:
    """Walk through the rows of a session in the order of their lines."""
    walk = _Walk(found)
    for _, tbl, row_id, round_ in sorted(_rows(store, session, ledger)):
        walk.step(tbl, row_id, round_)


def _rows(store: Store, session: Row, ledger: Ledger) -> Iterator[tuple[int, str, int, int]]:
    """(line, table, id, round) of every row of the session that has a line and a round."""
    for tbl, table in TABLES.items():
        sql = ROUNDS.get(tbl) or f"SELECT id, round FROM [{tbl}] WHERE session = ?"
        if tbl in ROUNDS or "round" in table.columns:
            lines = ledger.rows.get(tbl, {})
            for row in store.query(sql, session["id"]):
                if row["id"] in lines:
                    yield lines[row["id"]][0], tbl, row["id"], row["round"]


@dataclass
class _Walk:
    """Where a session stands: whether its baseline began, the round that is open, the first that may go on."""

    found: Findings
    begun: bool = False
    opened: int = 0
    first: int = 0

    def step(self, tbl: str, row_id: int, round_: int) -> None:
        if tbl == ENDS:
            self.first = max(self.first, round_)
            return
        if tbl == "rounds" and round_ > self.opened:
            self.opened = round_
        elif wrong := self._wrong(tbl, round_):
            self.found.add("order", f"{tbl} row {row_id}", wrong)
        self.begun = self.begun or tbl != "members"

    def _wrong(self, tbl: str, round_: int) -> str:
        """Why a row cannot stand here, or ''."""
        if tbl == "members":
            return "a member that came after the session had begun" if self.begun else ""
        if round_ == 0:
            return "" if tbl in ANYTIME else f"round 0 holds no {tbl}"
        if round_ < self.opened:
            return f"it is of round {round_} and was recorded after round {self.opened} had begun"
        if round_ > self.opened:
            return f"it is of round {round_}, which had not begun"
        return f"it is of round {round_}, with which the session had ended" if round_ < self.first else ""


def bare(store: Store, session: Row, ledger: Ledger, refs: Refs, found: Findings) -> None:
    """A session that nothing in git vouches for and in which nothing ran: killed at once, or never held."""
    name, line = session["name"], ledger.line_of("sessions", session["id"])
    names = (f"refs/council/{name}/", f"refs/heads/council/{name}")
    known = any(ref.startswith(names) for ref in (*refs.before, *refs.after))
    if line > ledger.anchored and not known and store.one("experiments", session=session["id"]) is None:
        told = "no commit speaks of it and nothing ran in it: it was killed at once, or never held; "
        found.add("session", name, f"{told}council run --resume {name} goes on with it")
