"""The store: rows are recorded once, all together or not at all, each with its line in the ledger."""

from __future__ import annotations

import sqlite3
import threading

import pytest

from council.errors import StoreError
from council.store import GENESIS, TABLES, Store, digest, link

NOW = 1000.125


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "deep/er/council.db")
    yield opened
    opened.close()


def session(store: Store, name: str = "s", **more: object) -> int:
    row = {"name": name, "at": NOW, "seed": "x", "commit": "c", "config": {}, "program": "p", "versions": {}}
    return store.insert("sessions", {**row, **more})


def call(store: Store, sid: int, turn: int = 1) -> int:
    row = {"session": sid, "round": 1, "step": "propose", "member": "ann", "attempt": 1, "turn": turn, "at": NOW}
    return store.insert("calls", {**row, "provider": "p", "model": "m", "request": {}, "reserved_usd": 0.0})


def reply(store: Store, call_id: int, text: str) -> int:
    numbers = dict.fromkeys(("tokens_in", "tokens_cached", "tokens_out", "cost_usd", "seconds"), 0)
    return store.insert("replies", {"call": call_id, "at": NOW, "status": "ok", "text": text, "raw": None, **numbers})


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A database with a row in every table, opened behind the store's back."""
    path = tmp_path_factory.mktemp("full") / "full.db"
    Store(path).close()
    db = sqlite3.connect(path)
    for tbl, table in TABLES.items():
        row = {c: {int: 1, float: 1.0, str: "{}"}[kind] for c, kind in table.columns.items()}
        db.execute(
            f"INSERT INTO [{tbl}] ({', '.join(f'[{c}]' for c in row)}) VALUES ({', '.join('?' * len(row))})",
            list(row.values()),
        )
    db.execute("INSERT INTO ledger VALUES (1, 1.0, 'sessions', 1, 'a', 'b', 'c')")
    db.commit()
    yield db
    db.close()


def chain(store: Store) -> list[str]:
    """What is wrong with the ledger of a store; computed here, apart from the audit."""
    wrong, prev = [], GENESIS
    for seq, line in enumerate(store.query("SELECT * FROM ledger ORDER BY seq"), 1):
        row = store.verbatim(line["tbl"], line["row_id"])
        made = link(seq, line["at"], line["tbl"], line["row_id"], row, prev)
        if (line["seq"], line["sha256"], line["hash"], line["prev"]) != (seq, *made, prev):
            wrong.append(str(line))
        prev = line["hash"]
    lines = next(store.query("SELECT count(*) AS n FROM ledger"))["n"]
    rows = sum(next(store.query(f"SELECT count(*) AS n FROM [{tbl}]"))["n"] for tbl in TABLES)
    return wrong if lines == rows else [*wrong, f"{lines} lines, {rows} rows"]


@pytest.mark.parametrize("tbl", [*TABLES, "ledger"])
def test_a_row_is_never_updated_or_deleted(filled, tbl):
    column = "at" if tbl == "ledger" else next(iter(TABLES[tbl].columns))
    for sql in (f"UPDATE [{tbl}] SET [{column}] = [{column}]", f"DELETE FROM [{tbl}]"):
        with pytest.raises(sqlite3.IntegrityError, match=f"rows of {tbl} are never changed"):
            filled.execute(sql)


@pytest.mark.parametrize("tbl", TABLES)
def test_replacing_a_row_is_refused_too(filled, tbl):
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        filled.execute("PRAGMA recursive_triggers=ON")
        filled.execute(f"INSERT OR REPLACE INTO [{tbl}] SELECT * FROM [{tbl}]")


def test_a_new_database_has_the_settings_that_survive_a_kill(store):
    pragma = {name: next(store.query(f"PRAGMA {name}"))[name] for name in ("page_size", "journal_mode", "foreign_keys")}
    assert pragma == {"page_size": 8192, "journal_mode": "wal", "foreign_keys": 1}
    assert next(store.query("PRAGMA synchronous"))["synchronous"] == 2, "FULL"


def test_every_table_is_strict(store):
    strict = {row["name"]: row["strict"] for row in store.query("PRAGMA table_list")}
    assert all(strict[tbl] for tbl in (*TABLES, "ledger"))


def test_a_row_comes_back_as_it_went_in(store):
    config = {"b": [1, 2.5, None, True], "a": {"é": "✓"}}
    sid = session(store, config=config, budget=None)
    row = store.get("sessions", sid)
    assert (row["config"], row["budget"], row["at"], row["name"]) == (config, None, NOW, "s")
    assert store.one("sessions", budget=None) == row and store.rows("sessions", name="t") == []
    assert store.verbatim("sessions", sid)["config"] == '{"a":{"é":"✓"},"b":[1,2.5,null,true]}'


def test_every_row_has_its_line_and_every_line_follows_the_one_before(store):
    assert store.head() == (0, GENESIS)
    sid = session(store)
    for turn in range(5):
        reply(store, call(store, sid, turn), "hello")
    assert chain(store) == []
    line = next(store.query("SELECT * FROM ledger WHERE seq = 11"))
    assert store.head() == (11, line["hash"])
    assert line["hash"] == digest([11, line["at"], "replies", 5, line["sha256"], line["prev"]])


def test_the_id_of_a_reply_is_its_own_and_not_that_of_the_full_text(store):
    sid = session(store)
    ids = [reply(store, call(store, sid, turn), "word " * 2000 * turn) for turn in range(1, 8)]
    assert ids == [row["id"] for row in store.rows("replies")] == list(range(1, 8))
    assert chain(store) == []
    found = store.query("SELECT rowid FROM replies_fts WHERE replies_fts MATCH 'word'")
    assert {row["rowid"] for row in found} == set(ids)


def test_a_transaction_is_all_or_nothing(store):
    sid = session(store)
    before = store.head()
    with pytest.raises(RuntimeError), store.atomic():
        call(store, sid)
        raise RuntimeError("killed")
    with pytest.raises(sqlite3.IntegrityError), store.atomic():
        call(store, sid)
        call(store, sid)
    assert store.head() == before and store.rows("calls") == []
    with store.atomic():
        call(store, sid, 1)
        with pytest.raises(sqlite3.IntegrityError):
            call(store, sid, 1)
        call(store, sid, 2)
    assert len(store.rows("calls")) == 2 and chain(store) == []


def test_a_reference_to_nothing_is_refused(store):
    with pytest.raises(sqlite3.IntegrityError):
        call(store, 7)
    assert store.head()[0] == 0 and store.broken_references() == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_is_refused(store, value):
    for row in ({"config": {"x": [value]}}, {"budget": value}, {"at": value}):
        with pytest.raises(ValueError):
            session(store, **row)
    assert store.head()[0] == 0


def test_text_that_is_not_unicode_is_replaced_and_never_refused(store):
    sid = session(store, program="a\ud800b", config={"k": "\udfff"})
    row = store.get("sessions", sid)
    assert (row["program"], row["config"]) == ("a?b", {"k": "?"})
    assert chain(store) == []


@pytest.mark.parametrize("text", ["", "\0 in the middle \0", "\r\n\x1b[31m", "𝄞" * 1000, "'; DROP TABLE sessions; --"])
def test_any_text_is_kept_byte_for_byte(store, text):
    assert store.get("sessions", session(store, program=text))["program"] == text
    assert chain(store) == []


def test_a_row_that_is_not_there_says_so(store):
    with pytest.raises(StoreError, match="sessions has no row 3"):
        store.get("sessions", 3)


def test_readers_see_whole_transactions_while_a_writer_writes(tmp_path):
    path, stop, wrong = tmp_path / "council.db", threading.Event(), []
    Store(path).close()

    def read() -> None:
        reader = Store(path, read_only=True)
        while not stop.is_set():
            with reader.atomic():
                if fault := chain(reader):
                    wrong.append(fault)
                if len(reader.rows("calls")) % 2:
                    wrong.append("half a transaction")
        reader.close()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in readers:
        thread.start()
    writer = Store(path)
    sid = session(writer)
    for turn in range(0, 60, 2):
        with writer.atomic():
            call(writer, sid, turn)
            call(writer, sid, turn + 1)
    stop.set()
    for thread in readers:
        thread.join()
    assert wrong == [] and len(writer.rows("calls")) == 60
    writer.close()


def test_a_reader_cannot_write(tmp_path):
    Store(tmp_path / "council.db").close()
    reader = Store(tmp_path / "council.db", read_only=True)
    with pytest.raises(StoreError):
        session(reader)
    reader.close()
