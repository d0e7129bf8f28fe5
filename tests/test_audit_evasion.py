"""Ways around the audit: rows where it might not look, tables that never end, commands that it might run."""

from __future__ import annotations

import json
import os
import random
import sqlite3
from pathlib import Path

import pytest

from council.errors import StoreError
from council.store import TABLES, Store, link
from tests.test_audit_git import git
from tests.test_audit_learning import closed_night
from tests.test_audit_night import audited, night
from tests.test_audit_spend import KEY, paid_night
from tests.test_audit_tamper import sql, tamper

LOWEST = -(2**63)


def raw(folder: Path, script: str) -> None:
    """Change a database while its triggers stay in place."""
    db = sqlite3.connect(folder / ".council/council.db")
    db.executescript(script)
    db.close()


def copied(tbl: str, **changed: object) -> str:
    """SQL that adds a copy of the first row of a table, some columns changed."""
    columns = ["id", *TABLES[tbl].columns]
    values = [repr(changed[c]) if c in changed else f"[{c}]" for c in columns]
    return f"INSERT INTO [{tbl}] ({', '.join(columns)}) SELECT {', '.join(values)} FROM [{tbl}] ORDER BY id LIMIT 1;"


@pytest.mark.parametrize("row_id", [LOWEST, -(2**62) - 5, -1, 2**62])
def test_a_row_of_any_number_is_looked_at(tmp_path, row_id):
    folder = paid_night(tmp_path)
    call = copied("calls", id=row_id, turn=99)
    raw(folder, call + copied("replies", id=row_id, call=row_id, text=f"I say {KEY}"))
    found = {(p.kind, p.where) for p in audited(folder).problems}
    assert {("row", f"calls row {row_id}"), ("row", f"replies row {row_id}")} <= found
    assert ("secret", f"replies {row_id}.text") in found


@pytest.mark.parametrize("seq", [LOWEST, -5])
def test_a_line_of_any_number_is_looked_at(tmp_path, seq):
    folder = night(tmp_path)
    raw(folder, f"INSERT INTO ledger SELECT {seq}, at, tbl, row_id + 7000, sha256, prev, hash FROM ledger LIMIT 1")
    assert any(p.where == f"ledger line {seq}" for p in audited(folder).problems)


@pytest.mark.parametrize(
    "script",
    [
        "INSERT INTO replies_fts (replies_fts, rowid, text) SELECT 'delete', id, text FROM replies WHERE id = 2",
        "INSERT INTO replies_fts (rowid, text) VALUES (2, 'innocent')",
        "DELETE FROM replies_fts_data",
        "DELETE FROM replies_fts_docsize WHERE id = 2",
    ],
)
def test_a_reply_that_search_would_not_find_is_found(tmp_path, script):
    folder = paid_night(tmp_path)
    raw(folder, script)
    assert [(p.kind, p.where) for p in audited(folder).problems] == [("search", "replies")]


ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS id, x AS seq FROM c"
LARGE = "text AS (hex(zeroblob(400000000)))"
UNREADABLE = {
    "an endless table": f"DROP TABLE critiques; CREATE VIEW critiques AS {ENDLESS}",
    "an endless ledger": f"DROP TABLE ledger; CREATE VIEW ledger AS {ENDLESS}",
    "a column without end": f"DROP TABLE responses; CREATE TABLE responses (id INTEGER PRIMARY KEY, session, {LARGE})",
    "an index that computes": "CREATE INDEX slow ON logs (length(hex(zeroblob(400000000)) || tail))",
    "an index under a condition": "CREATE INDEX slow ON logs (number) WHERE length(hex(zeroblob(400000000))) > 0",
    "another table of the search": "PRAGMA writable_schema=ON; "
    "UPDATE sqlite_master SET sql = replace(sql, 'v)', 'v, w)') WHERE name = 'replies_fts_config'",
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("script", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_of_tables_that_are_not_the_councils_nothing_is_read(tmp_path, script):
    folder = night(tmp_path)
    if script.startswith("CREATE INDEX"):
        db = sqlite3.connect(folder / ".council/council.db")
        db.execute("PRAGMA writable_schema=ON")  # so that making it computes nothing
        db.execute("CREATE INDEX slow ON logs (number)")
        db.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'slow'", [script])
        db.commit()
        db.close()
    else:
        raw(folder, script)
    report = audited(folder)
    assert {p.kind for p in report.problems} == {"schema"} and report.rounds == 0
    assert report.problems[-1].what.endswith("nothing in them was read")


@pytest.mark.parametrize("config", ["5", "null", "true", "[]", '"imported"', '["imported"]', "NaN", "[" * 100_000])
def test_a_configuration_that_is_none_is_a_finding(tmp_path, config):
    folder = night(tmp_path)
    tamper(folder, sql("UPDATE sessions SET config = ?", config), rebuild=True)
    assert not audited(folder).ok


@pytest.mark.parametrize("seed", range(6))
def test_a_database_with_noise_in_its_schema_is_told_in_words(tmp_path, seed):
    folder = night(tmp_path)
    raw(folder, "PRAGMA wal_checkpoint(TRUNCATE)")
    path = folder / ".council/council.db"
    data = path.read_bytes()
    path.write_bytes(data[:4096] + random.Random(seed).randbytes(4096) + data[8192:])
    try:
        assert not audited(folder).ok
    except StoreError as error:
        assert str(path) in error.message


def test_a_night_under_the_mark_of_an_import_is_found(tmp_path):
    folder = closed_night(tmp_path)

    def marked(db: sqlite3.Connection) -> None:
        text = json.loads(db.execute("SELECT config FROM sessions").fetchone()[0])
        db.execute("UPDATE sessions SET config = ?", [json.dumps({**text, "imported": "x"})])

    tamper(folder, marked, rebuild=True)
    told = [p.what for p in audited(folder).problems if p.kind == "imported"]
    assert any("holds no ballots" in what for what in told) and any("holds no closings" in what for what in told)
    assert any("a verdict reached here" in what for what in told)


@pytest.mark.parametrize("command", ["touch {mark}; false", "sleep 1000;"])
def test_a_missing_commit_is_not_fetched_by_a_command_of_the_lab(tmp_path, command):
    folder, mark = night(tmp_path), tmp_path / "ran"
    name = git(folder, "rev-parse", "refs/council/night/x4")
    (folder / ".git/objects" / name[:2] / name[2:]).unlink()
    for key, value in (
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", "ssh://x/y"),
        ("core.sshCommand", command.format(mark=mark)),
    ):
        git(folder, "config", key, value)
    assert not audited(folder).ok and not mark.exists()


def test_a_pipe_in_the_place_of_the_lock_is_no_reason_to_wait(tmp_path):
    folder = night(tmp_path)
    lock = folder / ".council/lock"
    lock.unlink(missing_ok=True)
    os.mkfifo(lock)
    with pytest.raises(StoreError, match="is not a file"):
        audited(folder)


def test_a_table_under_a_name_of_sqlites_is_found(tmp_path):
    folder = night(tmp_path)
    raw(
        folder,
        "CREATE TABLE evil (a); PRAGMA writable_schema=ON; UPDATE sqlite_master SET name = 'sqlite_evil', "
        "tbl_name = 'sqlite_evil', sql = replace(sql, 'evil', 'sqlite_evil') WHERE name = 'evil'",
    )
    assert [(p.kind, p.where) for p in audited(folder).problems] == [("schema", "sqlite_evil")]


def test_a_line_put_after_the_end_for_an_invented_row_is_found(tmp_path):
    folder = night(tmp_path)
    with_line = copied("outcomes", id=LOWEST, attempt=77)
    raw(folder, with_line)
    store = Store(folder / ".council/council.db")
    try:
        seq, prev = store.head()
        row = store.verbatim("outcomes", LOWEST)
        sha256, line = link(seq + 1, 1.0, "outcomes", LOWEST, row, prev)
    finally:
        store.close()
    raw(folder, f"INSERT INTO ledger VALUES ({seq + 1}, 1.0, 'outcomes', {LOWEST}, '{sha256}', '{prev}', '{line}')")
    assert [p.where for p in audited(folder).problems] == [f"outcomes row {LOWEST}"]


def test_a_ledger_whose_head_cannot_be_read_is_a_finding(tmp_path, monkeypatch):
    folder = night(tmp_path)

    def broken(self: Store) -> tuple[int, str]:
        raise StoreError("the page is gone")

    monkeypatch.setattr(Store, "head", broken)
    report = audited(folder)
    assert [(p.kind, p.where) for p in report.problems] == [("unreadable", "ledger")] and report.head == ""
