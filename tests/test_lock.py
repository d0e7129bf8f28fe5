"""The lock: one holder, freed by death, not inherited, and honest about who holds it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from council.errors import AlreadyRunning, StoreError
from council.lock import hold, holder

HOLD = """
import subprocess, sys, time
from pathlib import Path
from council.lock import hold
with hold(Path(sys.argv[1])):
    if sys.argv[2] == "child":
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
        print(child.pid, flush=True)
    else:
        print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def other(path: Path, root: Path, mode: str = "plain") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that holds the lock, and the line it printed."""
    command = [sys.executable, "-c", HOLD, str(path), mode]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_second_run_is_refused_with_the_pid_of_the_first(tmp_path: Path, root: Path) -> None:
    path = tmp_path / ".council" / "lock"
    with other(path, root) as (process, _):
        with pytest.raises(AlreadyRunning) as error, hold(path):
            pytest.fail("two runs hold one lock")
        assert str(process.pid) in error.value.message
        assert "council stop" in error.value.hint
        assert error.value.exit_code == 2
        assert holder(path) == process.pid


def test_a_killed_run_leaves_no_obstacle(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "lock"
    with other(path, root) as (process, _):
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert path.read_text().startswith(f"pid {process.pid}\n")
        assert holder(path) is None
        with hold(path):
            assert holder(path) == os.getpid()


def test_a_child_of_a_killed_run_does_not_keep_the_lock(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "lock"
    with other(path, root, "child") as (process, line):
        child = int(line)
        try:
            process.kill()
            process.wait()
            os.kill(child, 0)  # it lives on
            with hold(path):
                pass
        finally:
            os.kill(child, signal.SIGKILL)


def test_the_lock_is_free_after_the_block_even_when_it_raised(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(KeyboardInterrupt), hold(path):
        raise KeyboardInterrupt
    assert holder(path) is None
    with hold(path):
        pass


def test_the_same_process_cannot_hold_it_twice(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path), pytest.raises(AlreadyRunning), hold(path):
        pytest.fail("held twice")


def test_the_file_names_its_holder_and_the_start(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("pid 999999999\nstarted long ago, in a much longer line than the one that follows\n" * 5)
    with hold(path):
        lines = path.read_text().splitlines()
    assert lines[0] == f"pid {os.getpid()}"
    assert len(lines) == 2 and lines[1].startswith("started 20")


def test_nobody_holds_a_lock_that_does_not_exist(tmp_path: Path) -> None:
    assert holder(tmp_path / "lock") is None
    assert not (tmp_path / "lock").exists()


@pytest.mark.parametrize("text", ["", "pid \n", "rubbish", "pid -1\n", "pid 12"])
def test_rubbish_in_a_file_that_nobody_holds_is_no_holder(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lock"
    path.write_text(text)
    assert holder(path) is None
    with hold(path):
        assert holder(path) == os.getpid()


def test_asking_who_holds_it_does_not_turn_a_run_away(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    ask = "import fcntl, os, sys, time; f = os.open(sys.argv[1], os.O_RDONLY); fcntl.flock(f, fcntl.LOCK_SH); "
    command = [sys.executable, "-c", ask + "print('asked', flush=True); time.sleep(0.2)", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        process.stdout.readline()
        start = time.monotonic()
        with hold(path):
            assert time.monotonic() - start < 5


def test_a_lock_that_cannot_be_made_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file/lock"), hold(tmp_path / "file" / "lock"):
        pytest.fail("held")
