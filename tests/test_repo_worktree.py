"""Worktrees of experiments: exact, apart from the user's, and gone afterwards whatever happened."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from council.errors import RepositoryError
from council.repo import Repo
from tests.test_repo import git, make, state

KILLED = """
import os, signal, sys
from pathlib import Path
from council.repo import Repo
repo = Repo.open(Path(sys.argv[1]))
with repo.worktree("HEAD", "x1") as tree:
    (tree / "scratch").write_text("left")
    (repo.home() / "tmp" / f"{os.getpid()}-abc").mkdir(parents=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo.open(make(tmp_path / "lab-repo"))


def worktrees(repo: Repo) -> list[str]:
    """What git and the disk know of worktrees, besides the user's checkout."""
    known = [
        line[9:] for line in git(repo.root, "worktree", "list", "--porcelain").splitlines() if line[:9] == "worktree "
    ]
    folder, records = repo.root / ".council" / "worktrees", repo.common_dir / "worktrees"
    found = [str(entry) for place in (folder, records) if place.is_dir() for entry in place.iterdir()]
    return [path for path in known if path != str(repo.root)] + found


def kill_a_run(repo: Repo, root: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(repo.root)], cwd=root, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    assert worktrees(repo)


def test_a_worktree_holds_the_commit_and_is_removed(repo: Repo) -> None:
    child = repo.commit_file("HEAD", "lab/train.py", "new\r\n", subject="s", trailers={})
    before = state(repo.root)
    with repo.worktree(child, "x1") as tree:
        assert tree == repo.root / ".council" / "worktrees" / "x1"
        assert (tree / "lab" / "train.py").read_bytes() == b"new\r\n"
        assert (tree / "program.md").read_text() == "Lower it.\n"
        assert git(repo.root, "status", "--porcelain") == ""
    assert worktrees(repo) == [] and state(repo.root) == before


def test_two_worktrees_of_one_commit_live_side_by_side(repo: Repo) -> None:
    with repo.worktree("HEAD", "x1") as one, repo.worktree("HEAD", "x2") as two:
        assert one != two and (one / "program.md").is_file() and (two / "program.md").is_file()
    assert worktrees(repo) == []


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_worktree_goes_when_the_experiment_fails(repo: Repo, stop: type[BaseException]) -> None:
    with pytest.raises(stop), repo.worktree("HEAD", "x1") as tree:
        (tree / "lab" / "train.py").write_text("dirty")
        (tree / "new").mkdir()
        (tree / "new" / "file").write_text("x")
        raise stop
    assert worktrees(repo) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may delete anything")
def test_a_worktree_goes_even_if_made_read_only(repo: Repo) -> None:
    with repo.worktree("HEAD", "x1") as tree:
        (tree / "locked").mkdir()
        (tree / "locked" / "file").write_text("x")
        (tree / "locked").chmod(0o500)
    assert worktrees(repo) == []


def test_a_worktree_that_was_deleted_meanwhile_is_forgotten(repo: Repo) -> None:
    with repo.worktree("HEAD", "x1") as tree:
        subprocess.run(["rm", "-rf", str(tree)], check=True)
    assert worktrees(repo) == []


def test_a_killed_run_is_swept(repo: Repo, root: Path) -> None:
    kill_a_run(repo, root)
    assert repo.sweep() == ["x1"]
    assert worktrees(repo) == [] and list((repo.home() / "tmp").iterdir()) == []
    assert repo.sweep() == []


def test_a_worktree_of_a_killed_run_is_replaced(repo: Repo, root: Path) -> None:
    kill_a_run(repo, root)
    with repo.worktree("HEAD", "x1") as tree:
        assert not (tree / "scratch").exists() and (tree / "lab" / "train.py").is_file()
    assert worktrees(repo) == []


@pytest.mark.parametrize("damage", ["no folder", "no .git", "locked", "half made", "a file"])
def test_a_worktree_in_any_state_is_swept_and_replaced(repo: Repo, root: Path, damage: str) -> None:
    kill_a_run(repo, root)
    tree, record = repo.root / ".council" / "worktrees" / "x1", repo.common_dir / "worktrees" / "x1"
    if damage in ("no folder", "a file"):
        subprocess.run(["rm", "-rf", str(tree)], check=True)
    if damage == "a file":
        tree.write_text("x")
    elif damage == "no .git":
        (tree / ".git").unlink()
    elif damage == "locked":
        (record / "locked").write_text("initializing")
    elif damage == "half made":
        (record / "HEAD").unlink()
        (record / "index").unlink()
    repo.sweep()
    assert worktrees(repo) == []
    with repo.worktree("HEAD", "x1") as again:
        assert (again / "lab" / "train.py").is_file()
    assert worktrees(repo) == []


def test_worktrees_and_refs_of_the_user_survive_a_sweep(repo: Repo, tmp_path: Path) -> None:
    mine = tmp_path / "x1"
    git(repo.root, "worktree", "add", "--quiet", "-b", "mine", str(mine))
    unplugged = tmp_path / "unplugged"
    git(repo.root, "worktree", "add", "--quiet", "-b", "other", str(unplugged))
    unplugged.rename(tmp_path / "away")
    (repo.common_dir / "refs" / "heads" / "main.lock").write_text("")
    with repo.worktree("HEAD", "x1"):
        pass
    repo.sweep()
    (tmp_path / "away").rename(unplugged)
    assert git(mine, "status", "--porcelain") == "" and git(unplugged, "status", "--porcelain") == ""
    assert (repo.common_dir / "refs" / "heads" / "main.lock").exists()


def test_a_lock_on_one_of_our_refs_left_by_a_kill_is_swept(repo: Repo) -> None:
    repo.set_ref("refs/heads/council/n", "HEAD")
    lock = repo.common_dir / "refs" / "heads" / "council" / "n.lock"
    lock.write_text("")
    repo.sweep()
    assert not lock.exists()
    repo.set_ref("refs/heads/council/n", "HEAD")


def test_a_temporary_index_of_a_living_process_survives_a_sweep(repo: Repo) -> None:
    mine = repo.home() / "tmp" / f"{os.getppid()}-abc"
    mine.mkdir(parents=True)
    repo.sweep()
    assert mine.is_dir()


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".x", "-x", "x.lock"])
def test_a_name_that_leads_elsewhere_is_refused(repo: Repo, name: str) -> None:
    with pytest.raises(RepositoryError, match="name of a worktree"), repo.worktree("HEAD", name):
        pytest.fail("made")
    assert worktrees(repo) == []


def test_a_commit_that_is_not_there_leaves_no_worktree(repo: Repo) -> None:
    with pytest.raises(RepositoryError, match="Checking out"), repo.worktree("1" * 40, "x1"):
        pytest.fail("made")
    assert worktrees(repo) == []


def test_large_files_are_not_fetched(repo: Repo) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (repo.root / "data.bin").write_text(pointer)
    git(repo.root, "add", "data.bin")
    (repo.root / ".gitattributes").write_text("*.bin filter=lfs\n")
    git(repo.root, "add", ".gitattributes")
    git(repo.root, "commit", "--quiet", "-m", "lfs")
    for key, value in {"smudge": "false", "process": "false", "required": "true"}.items():
        git(repo.root, "config", f"filter.lfs.{key}", value)
    with repo.worktree("HEAD", "x1") as tree:
        assert (tree / "data.bin").read_text() == pointer


def test_ctrl_c_at_the_terminal_does_not_reach_git(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\nps -o pgid= -p $$ > "$PGID_FILE"\nexit 1\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=os.pathsep)
    monkeypatch.setenv("PGID_FILE", str(tmp_path / "pgid"))
    repo.exists("HEAD")
    assert int((tmp_path / "pgid").read_text()) != os.getpgrp()


def test_a_worktree_is_ready_within_a_second_or_so(repo: Repo) -> None:
    start = time.monotonic()
    with repo.worktree("HEAD", "x1"):
        pass
    assert time.monotonic() - start < 10
