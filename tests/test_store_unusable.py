"""Databases that cannot be used, and disks that are full: said in a user's words, finished rows intact."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from council.errors import StoreEmpty, StoreError, StoreUnusable
from council.store import Store
from tests.test_store import call, chain, session

ROOT = Path(__file__).resolve().parents[1]


def made(path: Path, calls: int = 3) -> Path:
    store = Store(path)
    sid = session(store)
    for turn in range(calls):
        call(store, sid, turn)
    store.close()
    return path


def refused(path: Path, **how: bool) -> StoreUnusable:
    with pytest.raises(StoreUnusable) as caught:
        Store(path, **how)
    assert caught.value.exit_code == 2 and str(path) in caught.value.message
    return caught.value


def test_a_database_that_is_not_there_cannot_be_read(tmp_path):
    assert "council run" in refused(tmp_path / "council.db", read_only=True).hint
    assert list(tmp_path.iterdir()) == []


def touched(path: Path) -> Path:
    """What a disk that is full at the first write leaves: SQLite's own page, and no table."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=WAL")
    assert path.stat().st_size > 0
    return path


@pytest.mark.parametrize("make", [touched, Path.touch])
def test_a_database_without_tables_is_none_and_the_next_writer_makes_it(tmp_path, make):
    make(path := tmp_path / "council.db")
    with pytest.raises(StoreEmpty, match="no session has run here yet") as caught:
        Store(path, read_only=True)
    assert "council run" in caught.value.hint and "--resume" not in caught.value.hint
    assert len(Store(made(path), read_only=True).rows("calls")) == 3


@pytest.mark.parametrize("read_only", [True, False])
def test_a_newer_version_says_which(tmp_path, read_only):
    path = made(tmp_path / "council.db")
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    assert "has version 99, this council knows up to" in refused(path, read_only=read_only).message


def test_an_older_version_is_not_read_and_says_what_brings_it_up_to_date(tmp_path):
    path = made(tmp_path / "council.db")
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=0")
    db.close()
    assert "council run" in refused(path, read_only=True).hint


@pytest.mark.parametrize("read_only", [True, False])
def test_a_database_of_another_program_is_left_alone(tmp_path, read_only):
    path = tmp_path / "council.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs (a)")
    db.commit()
    db.close()
    before = path.read_bytes()
    assert "another program" in refused(path, read_only=read_only).message
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database at all\n" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_of_garbage_is_refused(tmp_path, content, read_only):
    path = tmp_path / "council.db"
    path.write_bytes(content)
    refused(path, read_only=read_only)
    assert path.read_bytes() == content


def test_a_truncated_database_is_refused_or_says_what_is_unreadable(tmp_path):
    path = made(tmp_path / "council.db", calls=200)
    path.write_bytes(path.read_bytes()[: 5 * 8192])
    with pytest.raises(StoreUnusable):
        store = Store(path, read_only=True)
        list(store.query("SELECT * FROM calls"))


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_in_its_place_is_refused(tmp_path, make, read_only):
    make(tmp_path / "council.db")
    assert refused(tmp_path / "council.db", read_only=read_only).message.endswith("is not a file")


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_in_the_place_of_its_folder_is_refused_and_kept(tmp_path, read_only):
    (home := tmp_path / ".council").write_text("mine")
    with pytest.raises(StoreUnusable, match="is not a folder") as caught:
        Store(home / "council.db", read_only=read_only)
    assert "move it away" in caught.value.hint and home.read_text() == "mine"


def child(code: str, *args: object, **more: object) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own; it prints what it has to say."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, **more)


WRITE = """
    import sys
    from pathlib import Path
    from council.errors import StoreError
    from council.store import Store
    import os
    if len(sys.argv) > 2:
        os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
    try:
        store = Store(Path(sys.argv[1]))
        row = {"session": 1, "at": 1.0, "reason": "r", "exit_code": 0, "rounds": 0, "summary": {}}
        store.insert("session_ends", row)
    except StoreError as error:
        print(type(error).__name__, error.exit_code, error)
"""


@pytest.mark.parametrize("folder", [0o755, 0o555])
def test_a_database_that_may_only_be_read_says_so(tmp_path, folder):
    top = tmp_path / "council"
    top.mkdir()
    path = made(top / "council.db")
    for above in [*tmp_path.parents[:2], tmp_path]:
        above.chmod(above.stat().st_mode | 0o055)
    path.chmod(0o444)
    top.chmod(folder)
    before = path.read_bytes()
    done = child(WRITE, path, *([65534] if os.getuid() == 0 else []))
    assert done.stdout.startswith("StoreUnusable 2 "), (done.stdout, done.stderr)
    assert str(path) in done.stdout and "permissions" in done.stdout
    assert path.read_bytes() == before
    top.chmod(0o755)


def test_a_database_that_may_only_be_read_can_be_read(tmp_path):
    path = made(tmp_path / "council.db")
    path.chmod(0o444)
    reader = Store(path, read_only=True)
    assert len(reader.rows("calls")) == 3
    reader.close()


FIRST = """
    import resource, signal, sys
    from pathlib import Path
    from council.errors import StoreError
    from council.store import Store
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path = Path(sys.argv[1])
    room = int(sys.argv[2])
    if room > 20000:
        store = Store(path)
        store._db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        store = Store(path) if room <= 20000 else store
        with store.atomic():
            store.insert("sessions", {"name": "k", "at": 1.0, "seed": "5", "commit": "c", "config": {}, "program": "p",
                                      "versions": {}})
            for turn in range(1000):
                store.insert("session_ends", {"session": 1, "at": 1.0, "reason": "x" * 20000, "exit_code": 0,
                                              "rounds": 0, "summary": {}})
    except StoreError as error:
        print(type(error).__name__, str(error).replace(chr(10), " | "))
"""


@pytest.mark.parametrize("room", [12_000, 1_500_000])
def test_a_disk_that_is_full_before_a_session_is_recorded_does_not_advise_to_resume(tmp_path, room):
    """Full while the tables are made, or in the transaction that opens the session."""
    done = child(FIRST, tmp_path / "council.db", room)
    assert done.stdout.startswith("StoreError "), (done.stdout, done.stderr)
    assert "No session had begun." in done.stdout and "`council run`" in done.stdout


FULL = """
    import resource, signal, sys
    from pathlib import Path
    from council.errors import StoreError
    from council.store import Store
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = Store(Path(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    done = 0
    try:
        for turn in range(100, 100000):
            with store.atomic():
                for half in (0, 1):
                    store.insert("calls", {
                        "session": 1, "round": 1, "step": "propose", "member": "ann", "attempt": 1,
                        "turn": 2 * turn + half, "at": 1.0, "provider": "p", "model": "m",
                        "request": {"text": "x" * 4000}, "reserved_usd": 0.0,
                    })
            done += 1
    except StoreError as error:
        print(done, type(error).__name__, error.exit_code, str(error).replace(chr(10), " | "))
"""


def test_a_full_disk_ends_a_step_cleanly_and_keeps_every_finished_one(tmp_path):
    path = made(tmp_path / "council.db")
    done = child(FULL, path, 1_500_000)
    assert done.returncode == 0 and done.stdout, done.stderr
    count, name, code, said = done.stdout.split(" ", 3)
    assert (name, code) == ("StoreError", "1") and "Every finished step is kept." in said and "--resume" in said
    store = Store(path)
    assert len(store.rows("calls")) == 3 + 2 * int(count) and int(count) > 10
    assert chain(store) == [] and next(store.query("PRAGMA integrity_check"))["integrity_check"] == "ok"
    call(store, 1, 99)
    store.close()


KILLED = """
    import os, sys
    from pathlib import Path
    from council.store import Store
    store = Store(Path(sys.argv[1]))
    for turn in range(100, 100000):
        with store.atomic():
            for half in (0, 1):
                store.insert("calls", {
                    "session": 1, "round": 1, "step": "propose", "member": "ann", "attempt": 1, "turn": 2 * turn + half,
                    "at": 1.0, "provider": "p", "model": "m", "request": {}, "reserved_usd": 0.0,
                })
        print(turn, flush=True)
"""


def test_a_killed_writer_leaves_whole_transactions(tmp_path):
    path = made(tmp_path / "council.db")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline() for _ in range(25)][-1]
        writer.send_signal(signal.SIGKILL)
    store = Store(path)
    calls = store.rows("calls")
    assert len(calls) % 2 == 1 and max(c["turn"] for c in calls) >= 2 * int(told) + 1
    assert chain(store) == []
    store.close()


def test_a_read_that_fails_is_not_told_as_a_full_disk(tmp_path):
    with closing(Store(made(tmp_path / "council.db"), read_only=True)) as store, pytest.raises(StoreError) as caught:
        list(store.query("SELECT * FROM absent"))
    assert "could not be read: no such table: absent" in caught.value.message
    assert "disk" not in f"{caught.value.hint} {caught.value.kept}"
