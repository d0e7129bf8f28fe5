"""A full disk ends a run in clear words and loses no finished row; the session goes on once there is space."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from council.errors import CouncilError
from tests.helpers import FakeExecutor, Night, Planned, change, make_lab

ANN = {("propose", n): change(GAIN=n, WIDTH=64 + n) for n in range(1, 6)}
KIND = "council.testing.scripted:ScriptedMember"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a few megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(place)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a small file system needs the right to mount: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, spare: int) -> Path:
    """Take all space but `spare` bytes."""
    filler = place / "filler"
    left = os.statvfs(place)
    with filler.open("wb") as file:
        file.write(b"x" * max(0, left.f_bavail * left.f_frsize - spare))
    return filler


def attempt(lab: Night) -> str:
    """What a run on the full disk says at its end."""
    try:
        ending = lab.run(rounds=3, resume="k")
    except CouncilError as error:
        return str(error)
    return ending.reason


def test_a_run_on_a_full_disk_stops_and_goes_on_once_there_is_space(small_disk, monkeypatch):
    root = make_lab(small_disk / "lab-repo", {"ann": KIND, "bob": KIND})
    lab = Night(root, [Planned("ann", ANN), Planned("bob")], FakeExecutor(), monkeypatch)
    lab.run(rounds=1)
    rows = {tbl: lab.rows(tbl) for tbl in ("proposals", "measurements", "verdicts", "books")}
    words = []
    for spare in (0, 8, 24, 48, 96, 160, 240):
        filler = fill(small_disk, spare * 1024)
        words.append(attempt(lab))
        filler.unlink()
        for tbl, before in rows.items():
            assert lab.rows(tbl)[: len(before)] == before
    stopped = [said for said in words if "rounds done" not in said]
    assert len(stopped) >= 3
    assert all("disk" in said or "space" in said or "No space" in said for said in stopped), stopped
    assert lab.run(rounds=3, resume="k").exit_code == 0
    assert [row["role"] for row in lab.rows("experiments", "number")] == ["baseline"] * 2 + ["trial"] * 3
    numbers = [row["number"] for row in lab.rows("measurements")]
    assert sorted(set(numbers)) == sorted(numbers) and len(numbers) == 5
