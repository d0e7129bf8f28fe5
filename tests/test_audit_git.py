"""Tampering with git, and with what a database can hold: refs, commits, triggers, and values no row should have."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from council.store import TABLES
from tests.test_audit_night import audited, night
from tests.test_audit_tamper import sql, tamper


def git(folder: Path, *args: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *args], check=True, capture_output=True, text=True)
    return done.stdout.strip()


GIT = [
    (
        "branch moved",
        ("update-ref", "refs/heads/council/night", "refs/council/night/x4"),
        "branch",
        "heads/council/night",
    ),
    ("branch deleted", ("update-ref", "-d", "refs/heads/council/night"), "branch", "heads/council/night"),
    ("ref deleted", ("update-ref", "-d", "refs/council/night/x4"), "ref", "refs/council/night/x4"),
    ("ref moved", ("update-ref", "refs/council/night/x4", "refs/council/night/x3"), "ref", "refs/council/night/x4"),
    ("ref added", ("update-ref", "refs/council/night/x99", "refs/council/night/x3"), "ref", "refs/council/night/x99"),
    ("end deleted", ("update-ref", "-d", "refs/council/night/end"), "ref", "refs/council/night/end"),
    (
        "end moved",
        ("update-ref", "refs/council/night/end", "refs/council/night/x4"),
        "trailer",
        "refs/council/night/end",
    ),
    ("a ref beside them", ("update-ref", "refs/council/night/best2", "HEAD"), "ref", "refs/council/night/best2"),
    ("a ref below them", ("update-ref", "refs/council/night/y/x1", "HEAD"), "ref", "refs/council/night/y/x1"),
    ("a stranger", ("update-ref", "refs/council/elsewhere/x1", "HEAD"), "ref", "refs/council/elsewhere/x1"),
]


@pytest.mark.parametrize(("command", "kind", "where"), [c[1:] for c in GIT], ids=[c[0] for c in GIT])
def test_a_change_of_git_is_found(tmp_path, command, kind, where):
    folder = night(tmp_path)
    git(folder, *command)
    report = audited(folder)
    assert any(p.kind == kind and where in p.where for p in report.problems), report.problems


def test_a_commit_made_anew_is_found(tmp_path):
    folder = night(tmp_path)
    parent = git(folder, "rev-parse", "refs/council/night/x4^")
    made = git(folder, "commit-tree", f"{parent}^{{tree}}", "-p", parent, "-m", "x4")
    git(folder, "update-ref", "refs/council/night/x4", made)
    tamper(folder, sql('UPDATE experiments SET "commit" = ? WHERE number = 4', made), rebuild=True)
    kinds = {p.kind for p in audited(folder).problems if p.where == "night x4"}
    assert {"trailer", "file", "edit"} <= kinds


def test_a_commit_that_changes_another_file_is_found(tmp_path):
    folder = night(tmp_path)
    (folder / "lab/other.py").write_text("helped = True\n")
    git(folder, "checkout", "-q", "--detach", "refs/council/night/x4")
    git(folder, "add", "lab/other.py")
    git(folder, "commit", "-q", "--amend", "--no-edit")
    git(folder, "update-ref", "refs/council/night/x4", "HEAD")
    made = git(folder, "rev-parse", "HEAD")
    tamper(folder, sql('UPDATE experiments SET "commit" = ? WHERE number = 4', made), rebuild=True)
    problems = audited(folder).problems
    assert any(p.kind == "file" and "lab/other.py" in p.what for p in problems), problems


def test_a_commit_whose_object_is_gone_is_found(tmp_path):
    folder = night(tmp_path)
    name = git(folder, "rev-parse", "refs/council/night/x4")
    (folder / ".git/objects" / name[:2] / name[2:]).unlink()
    problems = audited(folder).problems
    assert any(p.kind == "commit" and p.where == "night x4" and "does not exist" in p.what for p in problems), problems


NO_UPDATE = "CREATE TRIGGER verdicts_no_update BEFORE UPDATE ON verdicts"
SCHEMA = [
    ("a trigger gone", "DROP TRIGGER ledger_no_delete", "ledger", "missing"),
    (
        "a condition that never holds",
        f"DROP TRIGGER verdicts_no_update; {NO_UPDATE} WHEN 0 BEGIN SELECT RAISE(ABORT, ''); END",
        "verdicts",
        "not as the council makes it",
    ),
    (
        "the same on lines of its own",
        f"DROP TRIGGER verdicts_no_update; {NO_UPDATE}\nWHEN\n0 BEGIN SELECT RAISE(ABORT, ''); END",
        "verdicts",
        "not as the council makes it",
    ),
    (
        "a refusal of no row",
        f"DROP TRIGGER verdicts_no_update; {NO_UPDATE} BEGIN SELECT RAISE(ABORT, '') WHERE 0; END",
        "verdicts",
        "not as the council makes it",
    ),
    (
        "a trigger that swallows rows",
        "CREATE TRIGGER quiet BEFORE INSERT ON replies BEGIN SELECT RAISE(IGNORE); END",
        "replies",
        "trigger quiet",
    ),
    ("a table", "CREATE TABLE notes (text)", "notes", "table notes"),
    ("a view", "CREATE VIEW verdicts_seen AS SELECT 1", "verdicts_seen", "view verdicts_seen"),
    ("a unique key gone", "DROP INDEX idx_ballots_session_round_judge", "ballots", "missing"),
    (
        "a trigger in SQLite's name",
        "CREATE TRIGGER quiet BEFORE INSERT ON replies BEGIN SELECT RAISE(IGNORE); END; PRAGMA writable_schema=ON; "
        "UPDATE sqlite_master SET name = 'sqlite_quiet', sql = replace(sql, 'quiet', 'sqlite_quiet') "
        "WHERE name = 'quiet'",
        "replies",
        "trigger sqlite_quiet",
    ),
]


@pytest.mark.parametrize(("script", "where", "what"), [c[1:] for c in SCHEMA], ids=[c[0] for c in SCHEMA])
def test_a_database_that_is_made_of_anything_else_is_found(tmp_path, script, where, what):
    folder = night(tmp_path)
    db = sqlite3.connect(folder / ".council/council.db")
    db.executescript(script)
    db.close()
    (problem,) = audited(folder).problems
    assert (problem.kind, problem.where) == ("schema", where) and what in problem.what


def test_what_sqlite_and_an_index_of_ones_own_add_is_no_finding(tmp_path):
    folder = night(tmp_path)
    db = sqlite3.connect(folder / ".council/council.db")
    db.executescript("CREATE INDEX mine ON verdicts (kind); ANALYZE")
    assert db.execute("SELECT count(*) FROM sqlite_stat1").fetchone()[0]
    db.close()
    assert audited(folder).problems == ()


@contextmanager
def relaxed(db: sqlite3.Connection) -> Iterator[None]:
    """Cells can hold anything while the block runs; afterwards the tables are again as the council makes them."""
    made = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql LIKE '%STRICT'").fetchall()
    db.execute("PRAGMA writable_schema=ON")
    for name, text in made:
        loose = text.replace(" NOT NULL", "").replace(") STRICT", ")")
        db.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", [loose, name])
    db.execute("PRAGMA writable_schema=RESET")
    yield
    db.execute("PRAGMA writable_schema=ON")
    for name, text in made:
        db.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", [text, name])
    db.execute("PRAGMA writable_schema=RESET")


@pytest.mark.parametrize("value", [None, "", -1, 1e308, b"\xff\x00", "\x1b[2J\u202e", "[" * 5000, "{}", "[[1]]", 2**62])
def test_an_odd_value_in_any_column_is_a_finding_and_never_an_error(tmp_path, value):
    folder = night(tmp_path)

    def everywhere(db: sqlite3.Connection) -> None:
        with relaxed(db):
            for tbl, table in TABLES.items():
                rows = [row[0] for row in db.execute(f"SELECT id FROM [{tbl}] ORDER BY id")]
                for row_id, column in zip(rows * 3, [c for c in table.columns if c not in table.key], strict=False):
                    db.execute(f"UPDATE [{tbl}] SET [{column}] = ? WHERE id = ?", [value, row_id])

    tamper(folder, everywhere)
    report = audited(folder)
    kinds = {p.kind for p in report.problems}
    assert kinds & {"row", "unreadable"} and "schema" not in kinds  # it was read to the end
    assert all("\x1b" not in p.what and "\u202e" not in p.what and len(p.what) <= 300 for p in report.problems)


def test_a_table_that_is_gone_is_a_finding(tmp_path):
    folder = night(tmp_path)
    tamper(folder, lambda db: [db.execute("DROP TABLE critiques"), db.execute("CREATE TABLE critiques (id)")])
    assert any(p.where.startswith("critiques") for p in audited(folder).problems)
