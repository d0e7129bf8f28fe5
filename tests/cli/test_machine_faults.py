"""What the machine refuses is told in words with an exit code, never as a fault of the council."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from council.cli.group import explain

FULL = Path("/dev/full")
OURS = "fault of the council"


def council(folder, *arguments, shell=""):
    """A real process; `shell` is a line of sh that starts it as "$@"."""
    command = [sys.executable, "-m", "council", *arguments]
    started = ["sh", "-c", shell, "sh", *command] if shell else command
    return subprocess.run(started, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "command", [("export",), ("export", "--format", "csv"), ("status",), ("report", "-o", "-"), ("--help",)]
)
def test_an_output_that_is_full_is_told_as_such(lab, command):
    told = council(lab, *command, shell=f'"$@" > {FULL}')
    assert told.returncode == 1 and "No space left on device" in told.stderr and "Free some space" in told.stderr
    assert OURS not in told.stderr and len(told.stderr.splitlines()) == 2


@pytest.mark.parametrize("command", [("status",), ("doctor",), ("init", "x"), ("export",)])
def test_a_folder_that_was_deleted_is_a_wrong_place_to_be(tmp_path, command):
    (tmp_path / "gone").mkdir()
    told = council(tmp_path, *command, shell=f'cd gone && rmdir ../gone && PYTHONPATH={Path.cwd()} exec "$@"')
    assert told.returncode == 2 and "is gone" in told.stderr and "council -C DIR" in told.stderr
    assert OURS not in told.stderr


def test_a_lab_where_no_folder_can_be_is_a_wrong_name(tmp_path):
    (tmp_path / "file").write_text("")
    told = council(tmp_path, "init", "file/x", shell=f'PYTHONPATH={Path.cwd()} exec "$@"')
    assert told.returncode == 2 and "file/x: Not a directory" in told.stderr and OURS not in told.stderr


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "Free some space"),
        (errno.EROFS, "mounted"),
        (errno.EACCES, "permissions"),
        (errno.EMFILE, "ulimit"),
        (errno.EIO, "fails"),
    ],
)
def test_a_file_that_the_machine_refuses_is_named(capsys, number, said):
    assert explain(OSError(number, os.strerror(number), "/some/file")) == 1
    told = capsys.readouterr().err
    assert "/some/file cannot be used" in told and said in told and OURS not in told


def test_a_missing_temporary_folder_is_the_machines(capsys):
    said = "No usable temporary directory found in ['/tmp']"
    assert explain(FileNotFoundError(errno.ENOENT, said)) == 1
    told = capsys.readouterr().err
    assert said in told and OURS not in told


def test_a_file_that_we_look_for_in_vain_stays_our_fault(capsys):
    assert explain(FileNotFoundError(errno.ENOENT, "No such file or directory", "/some/file")) == 1
    assert OURS in capsys.readouterr().err
