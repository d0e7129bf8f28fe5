"""Tampering with a night, one way per mechanism: each is found, and named for what it is.

Every case changes a copy of the database with `sqlite3` behind the council's back, the triggers that refuse changes
taken away and put back, or changes git. `rebuilt` then computes the whole chain anew, as someone who knows the ledger
would: what is found after that is found by the seed, by the arithmetic or by what git remembers.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from council.store import GENESIS, TABLES, link
from tests.test_audit_night import audited, night

Change = Callable[[sqlite3.Connection], object]


def tamper(folder: Path, change: Change, *, rebuild: bool = False) -> None:
    """Change the database of a lab, its triggers out of the way."""
    db = sqlite3.connect(folder / ".council/council.db", isolation_level=None)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys=OFF")
    db.execute("PRAGMA synchronous=OFF")
    guards = db.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%\\_no\\_%' ESCAPE '\\'"
    )
    guards = guards.fetchall()
    assert len(guards) == 2 * (len(TABLES) + 1)
    db.execute("BEGIN")
    for name, _ in guards:
        db.execute(f"DROP TRIGGER [{name}]")
    change(db)
    if rebuild:
        _rebuild(db)
    for _, sql in guards:
        db.execute(sql)
    db.execute("COMMIT")
    db.close()


def _rebuild(db: sqlite3.Connection) -> None:
    """The whole chain anew over the rows that are there, in the order of the lines that were there."""
    lines = db.execute("SELECT * FROM ledger ORDER BY seq").fetchall()
    known = {(line["tbl"], line["row_id"]) for line in lines}
    order = [(line["at"], line["tbl"], line["row_id"]) for line in lines]
    for tbl in TABLES:
        order += [
            (0.0, tbl, row["id"]) for row in db.execute(f"SELECT id FROM [{tbl}]") if (tbl, row["id"]) not in known
        ]
    db.execute("DELETE FROM ledger")
    seq, prev = 0, GENESIS
    for at, tbl, row_id in order:
        row = db.execute(f"SELECT * FROM [{tbl}] WHERE id = ?", [row_id]).fetchone()
        if row is None:
            continue
        seq += 1
        sha256, line = link(seq, at, tbl, row_id, dict(row), prev)
        db.execute("INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?)", [seq, at, tbl, row_id, sha256, prev, line])
        prev = line


def sql(text: str, *values: object) -> Change:
    def change(db: sqlite3.Connection) -> None:
        assert db.execute(text, values).rowcount > 0, "the case changes nothing"

    return change


def json_cell(tbl: str, column: str, where: str, edit: Callable[[object], object]) -> Change:
    def change(db: sqlite3.Connection) -> None:
        row = db.execute(f"SELECT id, [{column}] AS cell FROM [{tbl}] WHERE {where}").fetchone()
        old = json.loads(row["cell"])
        new = edit(old)
        assert new != old
        db.execute(f"UPDATE [{tbl}] SET [{column}] = ? WHERE id = ?", [json.dumps(new), row["id"]])

    return change


def swap_authors(db: sqlite3.Connection) -> None:
    """The picked proposal of round 1 and another of the round change authors."""
    pick = db.execute("SELECT pick FROM tallies WHERE round = 1").fetchone()[0]
    first = db.execute("SELECT id, member FROM proposals WHERE id = ?", [pick]).fetchone()
    other = db.execute(
        "SELECT id, member FROM proposals WHERE round = 1 AND step = 'propose' AND member != ?", [first["member"]]
    ).fetchone()
    for row, name in ((first, "tmp"), (other, first["member"]), (first, other["member"])):
        db.execute("UPDATE proposals SET member = ? WHERE id = ?", [name, row["id"]])


def swap_lines(db: sqlite3.Connection) -> None:
    for old, new in ((20, -1), (21, 20), (-1, 21)):
        db.execute("UPDATE ledger SET seq = ? WHERE seq = ?", [new, old])


def copy_row(tbl: str, **changed: object) -> Change:
    """Insert a row like the last one of a table."""

    def change(db: sqlite3.Connection) -> None:
        row = dict(db.execute(f"SELECT * FROM [{tbl}] ORDER BY id DESC LIMIT 1").fetchone())
        row = {k: v for k, v in row.items() if k != "id"} | changed
        db.execute(
            f"INSERT INTO [{tbl}] ({', '.join(f'[{c}]' for c in row)}) VALUES ({', '.join('?' * len(row))})",
            list(row.values()),
        )

    return change


def insert_call(db: sqlite3.Connection) -> None:
    """A call and its reply that nobody made."""
    db.execute(
        "INSERT INTO calls (session, round, step, member, attempt, turn, at, provider, model, request, reserved_usd) "
        "VALUES (1, 1, 'propose', 'ann', 1, 1, 1.0, 'openai', 'm', '{}', 0.0)"
    )


def other_code(db: sqlite3.Connection) -> None:
    """The fingerprint of what ran in round 1 is another, in the experiment and in its proposal."""
    pick = db.execute("SELECT proposal FROM experiments WHERE number = 3").fetchone()[0]
    for where in (f"proposals SET code = 'other' WHERE id = {pick}", "experiments SET code = 'other' WHERE number = 3"):
        assert db.execute(f"UPDATE {where}").rowcount == 1


def cut_tail(db: sqlite3.Connection) -> None:
    """Everything from the last experiment's row on is gone: rows and lines."""
    first = db.execute("SELECT seq FROM ledger WHERE tbl = 'experiments' ORDER BY seq DESC LIMIT 1").fetchone()[0]
    for line in db.execute("SELECT tbl, row_id FROM ledger WHERE seq >= ?", [first]).fetchall():
        db.execute(f"DELETE FROM [{line['tbl']}] WHERE id = ?", [line["row_id"]])
    db.execute("DELETE FROM ledger WHERE seq >= ?", [first])


SEEN = [
    ("a verdict", sql("UPDATE verdicts SET kind = 'keep' WHERE number = 4"), "row", "verdicts row 2"),
    ("a measurement", sql("UPDATE measurements SET val_bpb = 0.5 WHERE number = 3"), "row", "measurements row 3"),
    ("a proposal's text", sql("UPDATE proposals SET hypothesis = 'luck' WHERE id = 2"), "row", "proposals row 2"),
    ("a time", sql("UPDATE rounds SET at = at + 1 WHERE round = 3"), "row", "rounds row 3"),
    ("a row deleted", sql("DELETE FROM outcomes WHERE id = 1"), "row", "outcomes row 1"),
    ("a row inserted", insert_call, "row", "calls row 1"),
    ("a line deleted", sql("DELETE FROM ledger WHERE seq = 30"), "ledger", "ledger line 31"),
    ("lines swapped", swap_lines, "ledger", "ledger line 20"),
    ("a line's hash", sql("UPDATE ledger SET sha256 = hash WHERE seq = 40"), "ledger", "ledger line 40"),
    ("a line of no table", sql("UPDATE ledger SET tbl = 'nothing' WHERE seq = 40"), "ledger", "ledger line 40"),
    ("a broken reference", sql("UPDATE ballots SET slate = 9999 WHERE id = 1"), "reference", "ballots row 1"),
    ("an orphan", sql("UPDATE logs SET number = 99 WHERE id = 1"), "reference", "logs row 1"),
]


@pytest.mark.parametrize(("change", "kind", "where"), [c[1:] for c in SEEN], ids=[c[0] for c in SEEN])
def test_a_change_behind_the_ledgers_back_is_found(tmp_path, change, kind, where):
    folder = night(tmp_path)
    tamper(folder, change)
    report = audited(folder)
    assert not report.ok
    assert (kind, where) in {(p.kind, p.where) for p in report.problems}, report.problems


REBUILT = [
    ("a verdict", sql("UPDATE verdicts SET kind = 'keep' WHERE number = 4"), "verdict", "night x4"),
    ("a belief", sql("UPDATE verdicts SET belief = belief + 1e-9 WHERE number = 3"), "verdict", "night x3"),
    ("a verdict deleted", sql("DELETE FROM verdicts WHERE number = 3"), "verdict", "night x3"),
    ("a measurement", sql("UPDATE measurements SET val_bpb = 0.98 WHERE number = 3"), "verdict", "night x3"),
    ("a baseline run", sql("UPDATE measurements SET val_bpb = 1.006 WHERE number = 2"), "book", "night x2"),
    ("s0", sql("UPDATE measurements SET s0 = 0.02 WHERE number = 1"), "book", "night x2"),
    ("a status", sql("UPDATE measurements SET status = 'timeout' WHERE number = 4"), "verdict", "night x4"),
    (
        "conditions",
        sql('UPDATE measurements SET conditions = \'{"device":"x"}\' WHERE number = 4'),
        "verdict",
        "night x4",
    ),
    ("a book", sql("UPDATE books SET b = b - 0.001 WHERE number = 4"), "book", "night x4"),
    ("a variance", sql("UPDATE books SET v = v * 1.00001 WHERE number = 4"), "book", "night x4"),
    ("a book deleted", sql("DELETE FROM books WHERE cause = 'back'"), "book", "night x7"),
    ("a book added", copy_row("books", cause="replicate"), "book", "night x13"),
    ("a ballot", json_cell("ballots", "ranking", "round = 1 AND judge = 'ann'", lambda r: r[::-1]), "ballot", "ann"),
    ("a ballot deleted", sql("DELETE FROM ballots WHERE round = 3 AND judge = 'bob'"), "forecast", "night round 3"),
    ("a forecast", sql("UPDATE forecasts SET p = 0.9 WHERE round = 3 AND own = 0"), "forecast", "night round 3"),
    ("an own forecast", sql("UPDATE proposals SET forecast = 0.9 WHERE round = 3"), "forecast", "night round 3"),
    (
        "scores",
        json_cell("tallies", "scores", "round = 3", lambda s: {k: v / 2 for k, v in s.items()}),
        "tally",
        "round 3",
    ),
    ("a ranking", json_cell("tallies", "ranking", "round = 3", lambda r: r[::-1]), "tally", "night round 3"),
    ("a pick", sql("UPDATE tallies SET pick = pick + 1 WHERE round = 3"), "tally", "night round 3"),
    ("a tally deleted", sql("DELETE FROM tallies WHERE round = 3"), "tally", "night round 3"),
    (
        "a slate",
        json_cell("slates", "shown", "round = 3 AND judge = 'ann'", lambda s: s[::-1]),
        "slate",
        "slate of ann",
    ),
    ("not recused", sql("UPDATE slates SET recused = '[]' WHERE round = 3 AND judge = 'ann'"), "slate", "slate of ann"),
    ("a check", sql("UPDATE checks SET valid = 0 WHERE round = 3"), "slate", "slate of"),
    ("the seed", sql("UPDATE sessions SET seed = 'mine'"), "experiment", "night x1"),
    ("an experiment's seed", sql("UPDATE experiments SET seed = seed + 1 WHERE number = 3"), "experiment", "night x3"),
    ("authors swapped", swap_authors, "trailer", "night x3"),
    ("a commit", sql('UPDATE experiments SET "commit" = parent WHERE number = 3'), "ref", "refs/council/night/x3"),
    ("a parent", sql('UPDATE experiments SET parent = "commit" WHERE number = 3'), "commit", "night x3"),
    ("a file's hash", sql("UPDATE experiments SET sha256 = code WHERE number = 3"), "file", "night x3"),
    ("a fingerprint", sql("UPDATE experiments SET code = sha256 WHERE number = 3"), "experiment", "night x3"),
    ("a fingerprint in both places", other_code, "experiment", "night x3"),
    (
        "the diff shown",
        sql("UPDATE proposals SET diff = replace(diff, 'RATE', 'rate') WHERE round = 3"),
        "edit",
        "night x5",
    ),
    ("the edit", sql("UPDATE proposals SET edit = replace(edit, 'RATE', 'DEPTH') WHERE round = 3"), "", "night x5"),
    ("an experiment gone", sql("DELETE FROM experiments WHERE number = 13"), "ref", "refs/council/night/x13"),
    ("a settlement", sql("UPDATE settlements SET outcome = 1 - outcome WHERE id = 1"), "settlement", "night x3"),
    ("a Brier score", sql("UPDATE settlements SET brier = 0 WHERE id = 2"), "settlement", "night x3"),
    ("a settlement gone", sql("DELETE FROM settlements WHERE id = 1"), "settlement", "night x3"),
    ("a reward", sql("UPDATE settlements SET r = 3 WHERE number = 4"), "settlement", "night x4"),
    ("standing", sql("UPDATE reputation SET brier = 0 WHERE number = 13"), "reputation", "night x13"),
    ("a round's code", sql("UPDATE rounds SET parent = 'x' WHERE round = 2"), "round", "night round 2"),
    ("a round gone", sql("DELETE FROM rounds WHERE round = 2"), "round", "night round 3"),
    ("the tail", cut_tail, "trailer", "refs/council/night/end"),
    ("text alone", sql("UPDATE proposals SET hypothesis = 'luck' WHERE id = 2"), "trailer", "night x"),
    ("the program", sql("UPDATE sessions SET program = 'Cheat.'"), "trailer", "night x1"),
]

LATE = ("night x13",)
"""Where a change may come after the last line that git knows."""


@pytest.mark.parametrize(("change", "kind", "where"), [c[1:] for c in REBUILT], ids=[c[0] for c in REBUILT])
def test_a_change_under_a_rebuilt_chain_is_found(tmp_path, change, kind, where):
    folder = night(tmp_path)
    tamper(folder, change, rebuild=True)
    report = audited(folder)
    assert not report.ok and not {p.kind for p in report.problems} & {"row", "ledger"}, report.problems
    assert any(kind in p.kind and where in p.where for p in report.problems), report.problems
    if where not in LATE:
        assert any(p.kind == "trailer" for p in report.problems), report.problems
