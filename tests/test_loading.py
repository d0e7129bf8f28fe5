"""An exported night becomes a database again, to the letter; what is no export is refused in words."""

from __future__ import annotations

import gzip
from contextlib import closing
from pathlib import Path

import pytest

from council import loading
from council.errors import UsageError
from council.store import Store
from council.ui.jsonlines import line
from council.views import export
from tests.report.nights import write
from tests.test_audit_night import Fake, audited, night, run


def exported(database: Path, file: Path, name: str | None = None) -> Path:
    """The rows of a session in a file, packed if its name says so."""
    with closing(Store(database, read_only=True)) as store:
        text = "".join(f"{line(row)}\n" for row in export.rows(store, name))
    file.write_bytes(gzip.compress(text.encode()) if file.suffix == ".gz" else text.encode())
    return file


@pytest.mark.parametrize("name", ["night.jsonl", "night.jsonl.gz"])
def test_a_loaded_night_is_the_one_that_was_exported_to_the_last_hash(tmp_path, name):
    folder = night(tmp_path)
    database = folder / ".council" / "council.db"
    head = audited(folder).head
    file = exported(database, tmp_path / name)
    for path in database.parent.glob("council.db*"):
        path.unlink()
    loading.load(file, database)
    report = audited(folder)
    assert report.problems == () and report.head == head


def test_an_export_holds_the_lines_of_its_session_and_no_other(tmp_path):
    folder = night(tmp_path)
    run(folder, Fake([1.0, 1.0, 0.9]), session="other", rounds=1)
    with closing(Store(folder / ".council" / "council.db", read_only=True)) as store:
        rows, total = list(export.rows(store, "other")), store.head()[0]
    lines = [(row["tbl"], row["row_id"]) for row in rows if row["table"] == "ledger"]
    assert sorted(lines) == sorted((row["table"], row["id"]) for row in rows if row["table"] != "ledger")
    assert 0 < len(lines) < total


def test_a_hostile_night_comes_back_as_it_was(tmp_path):
    write(tmp_path / "one.db", rounds=5, hostile=True)
    file = exported(tmp_path / "one.db", tmp_path / "night.jsonl")
    loading.load(file, tmp_path / "other.db")
    again = exported(tmp_path / "other.db", tmp_path / "again.jsonl")
    assert again.read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense\n", "line 1 is no row"),
        ("[]\n", "line 1 is no row"),
        ('{"id": 1}\n', "line 1 is no row"),
        ('{"table": "sqlite_master", "id": 1}\n', "line 1 is no row"),
        ('{"table": "logs", "id": 1, "tail) VALUES (1); --": 2}\n', "logs has no column"),
        ('{"table": "logs", "id": 1}\n', "does not fit"),
        ("", "holds no session"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_export_is_refused_and_leaves_nothing(tmp_path, text, said):
    file = tmp_path / "night.jsonl"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UsageError, match=said):
        loading.load(file, tmp_path / "lab" / "council.db")
    assert not list((tmp_path / "lab").glob("*"))


def test_a_database_that_is_there_is_not_touched(tmp_path):
    write(tmp_path / "one.db", rounds=1)
    before = (tmp_path / "one.db").read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        loading.load(tmp_path / "none.jsonl", tmp_path / "one.db")
    assert (tmp_path / "one.db").read_bytes() == before


def test_the_command_says_what_went_wrong_and_what_to_do_next(tmp_path, monkeypatch, capsys):
    write(tmp_path / "one.db", rounds=1)
    file = exported(tmp_path / "one.db", tmp_path / "night.jsonl")
    monkeypatch.setattr("sys.argv", ["loading", str(file), str(tmp_path / "lab")])
    assert loading.main() == 0 and "council -C" in capsys.readouterr().out
    assert loading.main() == 2 and "exists already" in capsys.readouterr().err
