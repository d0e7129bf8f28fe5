"""Where a session may start, and what is said when it may not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from council.errors import RepositoryError
from council.repo import Repo
from tests.test_repo import git, make, state


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    return make(tmp_path / "lab-repo")


def refusal(lab: Path, **options: bool) -> RepositoryError:
    """The error a session's start is refused with."""
    with pytest.raises(RepositoryError) as error:
        Repo.open(lab).start_commit(from_worktree=options.get("from_worktree", False))
    assert error.value.exit_code == 2 and error.value.hint
    return error.value


# --- opening ---------------------------------------------------------------------------------------------------------


def test_a_folder_without_a_repository_is_refused_with_the_commands(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="not in a git repository") as error:
        Repo.open(tmp_path)
    assert "git init" in error.value.hint and "council init" in error.value.hint


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="no folder"):
        Repo.open(tmp_path / "none")


def test_a_repository_without_a_commit_can_be_read_and_is_no_start(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    repo = Repo.open(tmp_path)
    with pytest.raises(RepositoryError, match="no commit yet") as error:
        repo.start_commit(from_worktree=False)
    assert "git add -A && git commit" in error.value.hint


def test_a_bare_repository_and_the_inside_of_git_are_refused(tmp_path: Path, lab: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(lab), str(tmp_path / "bare"))
    for folder in (tmp_path / "bare", lab / ".git", lab / ".git" / "refs"):
        with pytest.raises(RepositoryError, match="no checkout") as error:
            Repo.open(folder)
        assert "git clone" in error.value.hint


@pytest.mark.parametrize("when", ["at import", "later"])
def test_a_machine_without_git_is_told_to_install_it(lab: Path, root: Path, tmp_path: Path, when: str) -> None:
    code = f"""
import os, sys
from pathlib import Path
from council.errors import RepositoryError
from council.repo import Repo
if {when == "later"}:
    Repo.open(Path(sys.argv[1]))
os.environ["PATH"] = sys.argv[2]
try:
    Repo.open(Path(sys.argv[1]))
except RepositoryError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(lab), str(tmp_path)], capture_output=True, text=True, cwd=root
    )
    assert done.stdout.startswith("git was not found"), done.stdout + done.stderr
    assert "apt install git" in done.stdout


def test_a_folder_below_the_root_opens_the_root(lab: Path) -> None:
    assert Repo.open(lab / "lab").root == lab


# --- from HEAD -------------------------------------------------------------------------------------------------------


def test_a_clean_checkout_starts_at_head(lab: Path) -> None:
    assert Repo.open(lab).start_commit(from_worktree=False) == git(lab, "rev-parse", "HEAD").strip()


def test_a_detached_head_works_and_stays_detached(lab: Path) -> None:
    git(lab, "checkout", "--quiet", "--detach")
    head = git(lab, "rev-parse", "HEAD").strip()
    assert Repo.open(lab).start_commit(from_worktree=False) == head
    assert (lab / ".git" / "HEAD").read_text().strip() == head


def test_a_touched_but_unchanged_file_is_clean(lab: Path) -> None:
    train = lab / "lab" / "train.py"
    train.write_bytes(train.read_bytes())
    before = state(lab)
    Repo.open(lab).start_commit(from_worktree=False)
    assert state(lab) == before


def test_other_dirty_files_do_not_matter(lab: Path) -> None:
    (lab / "lab" / "other.py").write_text("x")
    (lab / "notes").write_text("x")
    git(lab, "add", "notes")
    Repo.open(lab).start_commit(from_worktree=False)


@pytest.mark.parametrize("path", ["lab/train.py", "program.md"])
@pytest.mark.parametrize("how", ["edited", "staged", "staged and undone", "deleted"])
def test_a_dirty_file_is_refused_by_name_with_both_ways_out(lab: Path, path: str, how: str) -> None:
    old = (lab / path).read_text()
    if how == "deleted":
        (lab / path).unlink()
    else:
        (lab / path).write_text("other\n")
    if how.startswith("staged"):
        git(lab, "add", path)
    if how.endswith("undone"):
        (lab / path).write_text(old)
    error = refusal(lab)
    assert path in error.message
    assert "commit" in error.hint and "--from-worktree" in error.hint


def test_both_dirty_files_are_named_at_once(lab: Path) -> None:
    (lab / "lab" / "train.py").write_text("x")
    (lab / "program.md").write_text("x")
    assert "lab/train.py and program.md are" in refusal(lab).message


def test_an_unfinished_merge_of_train_py_is_refused(lab: Path) -> None:
    git(lab, "checkout", "--quiet", "-b", "side")
    (lab / "lab" / "train.py").write_text("side\n")
    git(lab, "commit", "--quiet", "-am", "side")
    git(lab, "checkout", "--quiet", "main")
    (lab / "lab" / "train.py").write_text("main\n")
    git(lab, "commit", "--quiet", "-am", "main")
    subprocess.run(["git", "merge", "side"], cwd=lab, capture_output=True)
    (lab / "lab" / "train.py").write_text("main\n")
    found = refusal(lab)
    assert "lab/train.py" in found.message and "-- lab/train.py" not in found.hint
    advice = found.hint.split("then ")[1].split(", or")[0]
    subprocess.run(["sh", "-c", advice], cwd=lab, check=True, capture_output=True, env={**os.environ, "EDITOR": "true"})
    Repo.open(lab).start_commit(from_worktree=False)


def test_advice_during_a_cherry_pick_is_one_that_git_takes(lab: Path) -> None:
    for name in ("side", "main"):
        git(lab, "checkout", "--quiet", *(["-b", "side"] if name == "side" else ["main"]))
        (lab / "lab" / "train.py").write_text(f"{name}\n")
        git(lab, "commit", "--quiet", "-am", name)
    subprocess.run(["git", "cherry-pick", "side"], cwd=lab, capture_output=True)
    assert "git cherry-pick --continue" in refusal(lab).hint


def test_a_checkout_with_converted_line_ends_is_clean(lab: Path) -> None:
    git(lab, "config", "core.autocrlf", "true")
    train = lab / "lab" / "train.py"
    train.write_bytes(train.read_bytes().replace(b"\n", b"\r\n"))
    assert git(lab, "diff", "--stat") == ""
    Repo.open(lab).start_commit(from_worktree=False)


def test_a_lab_without_train_py_is_refused(lab: Path) -> None:
    git(lab, "rm", "--quiet", "lab/train.py")
    git(lab, "commit", "--quiet", "-m", "gone")
    assert "no plain file lab/train.py" in refusal(lab).message
    assert "no plain file lab/train.py" in refusal(lab, from_worktree=True).message


def test_a_train_py_that_was_never_committed_is_refused_with_the_command(lab: Path) -> None:
    git(lab, "rm", "--quiet", "--cached", "lab/train.py")
    git(lab, "commit", "--quiet", "-m", "untracked")
    error = refusal(lab)
    assert "not in the last commit" in error.message and "git add lab/train.py" in error.hint


def test_a_link_in_the_place_of_train_py_is_refused(lab: Path) -> None:
    train = lab / "lab" / "train.py"
    train.rename(lab / "lab" / "real.py")
    train.symlink_to("real.py")
    git(lab, "add", "-A")
    git(lab, "commit", "--quiet", "-m", "a link")
    assert "lab/train.py" in refusal(lab).message
    assert "lab/train.py" in refusal(lab, from_worktree=True).message


def test_another_program_may_be_named(lab: Path) -> None:
    (lab / "program.md").write_text("edited")
    repo = Repo.open(lab)
    repo.start_commit(from_worktree=False, program="lab/none.md")
    with pytest.raises(RepositoryError, match="program.md"):
        repo.start_commit(from_worktree=False, program="program.md")


# --- from the working tree -------------------------------------------------------------------------------------------


def test_a_snapshot_is_a_child_of_head_and_touches_nothing(lab: Path) -> None:
    (lab / "lab" / "train.py").write_text("WIDTH = 99\n")
    (lab / "program.md").write_text("Lower it more.\n")
    (lab / "notes.txt").write_text("not asked for")
    head, before, status = git(lab, "rev-parse", "HEAD").strip(), state(lab), git(lab, "status", "--porcelain")
    repo = Repo.open(lab)
    start = repo.start_commit(from_worktree=True)
    assert git(lab, "rev-parse", f"{start}^").strip() == head
    assert repo.read(start, "lab/train.py") == "WIDTH = 99\n"
    assert repo.read(start, "program.md") == "Lower it more.\n"
    assert sorted(repo.changed_paths(head, start)) == ["lab/train.py", "program.md"]
    assert state(lab) == before and git(lab, "status", "--porcelain") == status


def test_a_snapshot_of_what_is_committed_is_head(lab: Path) -> None:
    assert Repo.open(lab).start_commit(from_worktree=True) == git(lab, "rev-parse", "HEAD").strip()


def test_a_snapshot_takes_the_file_and_not_the_index(lab: Path) -> None:
    train = lab / "lab" / "train.py"
    old = train.read_text()
    train.write_text("staged\n")
    git(lab, "add", "lab/train.py")
    train.write_text("in the file\n")
    repo = Repo.open(lab)
    assert repo.read(repo.start_commit(from_worktree=True), "lab/train.py") == "in the file\n"
    train.write_text(old)
    assert repo.start_commit(from_worktree=True) == git(lab, "rev-parse", "HEAD").strip()


def test_a_snapshot_takes_a_train_py_that_was_never_committed(lab: Path) -> None:
    git(lab, "rm", "--quiet", "--cached", "lab/train.py")
    git(lab, "commit", "--quiet", "-m", "untracked")
    repo = Repo.open(lab)
    assert repo.read(repo.start_commit(from_worktree=True), "lab/train.py").startswith("WIDTH = 64")
