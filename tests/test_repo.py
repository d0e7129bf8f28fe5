"""Commits, refs and diffs of a session, whatever the user's git is set up to do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from council.errors import EditError, RepositoryError
from council.repo import Repo
from council.repo_text import SUBJECT_LIMIT, one_line

LONG_AGO = 1_700_000_000


def git(folder: Path, *args: str) -> str:
    """Plain git, as the user would run it."""
    env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # `git status` shall not refresh the index
    done = subprocess.run(["git", *args], cwd=folder, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def make(folder: Path) -> Path:
    """A repository with a lab and one commit."""
    (folder / "lab").mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "lab" / "train.py").write_text("WIDTH = 64\n\n\ndef build():\n    return WIDTH\n")
    (folder / "program.md").write_text("Lower it.\n")
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", "Start")
    return folder


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    return make(tmp_path / "lab-repo")


@pytest.fixture
def repo(lab: Path) -> Repo:
    return Repo.open(lab)


def state(folder: Path) -> tuple[object, ...]:
    """Everything of the user's that must stay as it is."""
    hidden = folder / ".git"
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and ".council" not in path.parts}
    files = {path: data for path, data in files.items() if hidden not in path.parents}
    own = {name: (hidden / name).read_bytes() for name in ("HEAD", "index", "config")}
    return files, own, (hidden / "index").stat().st_mtime_ns, git(folder, "rev-parse", "main")


def night(repo: Repo, *, from_worktree: bool = False) -> str:
    """What a session does to a repository, from start to end."""
    repo.check_free()
    repo.sweep()
    start = repo.start_commit(from_worktree=from_worktree)
    child = repo.commit_file(start, "lab/train.py", "WIDTH = 65\n", subject="x1", trailers={"Council-Round": "1"})
    repo.set_ref("refs/heads/council/night", start)
    repo.set_ref("refs/heads/council/night", child)
    repo.set_ref("refs/council/night/x1", child)
    with repo.worktree(child, "x1") as tree:
        assert (tree / "lab" / "train.py").read_text() == "WIDTH = 65\n"
    repo.set_ref("refs/council/night/end", repo.empty_commit(child, subject="end", trailers={"Council-Ledger": "ff"}))
    assert repo.diff(start, child).startswith("diff --git a/lab/train.py b/lab/train.py\n")
    return child


# --- commits ---------------------------------------------------------------------------------------------------------


def test_a_commit_holds_the_text_the_parent_and_the_trailers(repo: Repo, lab: Path) -> None:
    head = repo.start_commit(from_worktree=False)
    trailers = {"Council-Round": "3", "Council-Member": "tpe", "Council-Ledger": "ab" * 32}
    text = "WIDTH = 1\r\nNAME = 'ü'\x0c\n"
    child = repo.commit_file(head, "lab/train.py", text, subject="Wider", trailers=trailers, at=LONG_AGO)
    assert repo.read(child, "lab/train.py") == text
    assert repo.trailers(child) == trailers
    assert repo.changed_paths(head, child) == ["lab/train.py"]
    assert repo.read(child, "program.md") == "Lower it.\n"
    who = "council <council@localhost>"
    shown = git(lab, "log", "-1", "--format=%P|%an <%ae>|%cn <%ce>|%at|%ct|%s", child).strip()
    assert shown == f"{head}|{who}|{who}|{LONG_AGO}|{LONG_AGO}|Wider"
    seen_by_git = git(lab, "log", "-1", "--format=%(trailers:key=Council-Ledger,valueonly)", child).strip()
    assert seen_by_git == "ab" * 32


def test_the_same_commit_at_the_same_time_is_the_same(repo: Repo) -> None:
    head = repo.start_commit(from_worktree=False)
    made = {repo.commit_file(head, "lab/train.py", "a\n", subject="s", trailers={}, at=LONG_AGO) for _ in range(2)}
    assert len(made) == 1


def test_a_text_equal_to_the_parents_makes_an_empty_commit(repo: Repo) -> None:
    head = repo.start_commit(from_worktree=False)
    text = repo.read(head, "lab/train.py")
    child = repo.commit_file(head, "lab/train.py", text, subject="replicate", trailers={})
    assert child != head and repo.diff(head, child) == "" and repo.changed_paths(head, child) == []


def test_an_executable_file_stays_executable(lab: Path, repo: Repo) -> None:
    git(lab, "update-index", "--chmod=+x", "lab/train.py")
    git(lab, "commit", "--quiet", "-m", "executable")
    child = repo.commit_file("HEAD", "lab/train.py", "a\n", subject="s", trailers={})
    assert git(lab, "ls-tree", child, "lab/train.py").startswith("100755")


def test_text_that_is_not_unicode_is_a_fault_of_the_edit(repo: Repo) -> None:
    with pytest.raises(EditError, match="UTF-8"):
        repo.commit_file("HEAD", "lab/train.py", "x = '\ud800'\n", subject="s", trailers={})


@pytest.mark.parametrize("path", ["../out", "/abs", ".git/config", "lab/../../x", ""])
def test_a_path_outside_the_repository_is_refused(repo: Repo, path: str) -> None:
    with pytest.raises(RepositoryError):
        repo.commit_file("HEAD", path, "x", subject="s", trailers={})


@pytest.mark.parametrize("bad", ["--output=/tmp/x", "-p", "", "HEAD..HEAD", "HEAD:lab", "a b", "@{-1}", "\n"])
def test_what_is_not_a_commit_is_never_given_to_git(repo: Repo, bad: str) -> None:
    assert repo.exists(bad) is False
    for call in (lambda: repo.read(bad, "lab/train.py"), lambda: repo.diff(bad, "HEAD"), lambda: repo.trailers(bad)):
        with pytest.raises(RepositoryError, match="not the name of a commit"):
            call()


def test_a_commit_exists_only_if_it_does(repo: Repo) -> None:
    head = repo.start_commit(from_worktree=False)
    blob = repo.git("rev-parse", f"{head}:lab/train.py", what="").decode().strip()
    assert repo.exists(head) and not repo.exists("0" * 40) and not repo.exists(blob)


def test_reading_what_is_not_there_or_not_text_says_so(lab: Path, repo: Repo) -> None:
    with pytest.raises(RepositoryError, match="lab/none.py"):
        repo.read("HEAD", "lab/none.py")
    (lab / "lab" / "train.py").write_bytes(b"\xff\xfe")
    git(lab, "commit", "--quiet", "-am", "bytes")
    with pytest.raises(RepositoryError, match="not UTF-8"):
        repo.read("HEAD", "lab/train.py")


# --- what a member wrote ---------------------------------------------------------------------------------------------

HOSTILE = [
    "Wider\n\nCouncil-Ledger: forged",
    "Wider\r\rCouncil-Ledger: forged",
    "Wider\x85\x85Council-Ledger: forged\u2028\u2029Council-Ledger: forged",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J gone",
    "# ------------------------ >8 ------------------------",
    "---",
    "\u202eesrever\u200b\ufeff",
    "-m --amend",
    "x" * 10_000,
    "\x00\ud800",
    "",
]


@pytest.mark.parametrize("subject", HOSTILE)
def test_a_hostile_subject_forges_nothing(repo: Repo, lab: Path, subject: str) -> None:
    child = repo.empty_commit("HEAD", subject=subject, trailers={"Council-Ledger": "real", "Council-Member": subject})
    assert repo.trailers(child)["Council-Ledger"] == "real"
    raw = git(lab, "cat-file", "commit", child)
    assert raw.count("\nCouncil-Ledger: ") == 1 and "\x1b" not in raw and "\u202e" not in raw
    told = subprocess.run(
        ["git", "interpret-trailers", "--parse"], input=git(lab, "log", "-1", "--format=%B", child), cwd=lab,
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "Council-Ledger: real" in told and "forged" not in told.replace(
        f"Council-Member: {one_line(subject, 500)}", ""
    )
    assert 0 < len(git(lab, "log", "-1", "--format=%s", child).strip()) <= SUBJECT_LIMIT


def test_a_key_that_is_not_one_is_a_fault_of_the_caller(repo: Repo) -> None:
    with pytest.raises(ValueError, match="key of a trailer"):
        repo.empty_commit("HEAD", subject="s", trailers={"A: b\nC": "d"})


# --- refs ------------------------------------------------------------------------------------------------------------


def test_refs_are_made_moved_listed_and_packed(repo: Repo, lab: Path) -> None:
    first = repo.start_commit(from_worktree=False)
    second = repo.empty_commit(first, subject="s", trailers={})
    assert repo.get_ref("refs/heads/council/n") is None
    repo.set_ref("refs/heads/council/n", first)
    repo.set_ref("refs/council/n/x1", first)
    repo.set_ref("refs/council/n2/x1", first)
    git(lab, "pack-refs", "--all")
    repo.set_ref("refs/heads/council/n", second)
    assert repo.get_ref("refs/heads/council/n") == second
    assert repo.get_ref("refs/council/n") is None
    assert repo.refs("refs/council/n/") == {"refs/council/n/x1": first}
    assert set(repo.refs("refs/council/")) == {"refs/council/n/x1", "refs/council/n2/x1"}
    assert set(repo.refs("refs/council/n")) == {"refs/council/n/x1", "refs/council/n2/x1"}


@pytest.mark.parametrize(
    "name",
    ["refs/heads/main", "HEAD", "refs/heads/council", "refs/council", "refs/council/", "refs/council/../heads/main"]
    + ["refs/council/a//b", "refs/council/a.lock", "refs/council/a/-b", "refs/tags/x", "refs/council/a\nb", "--stdin"],
)
def test_no_ref_of_anyone_else_is_written(repo: Repo, lab: Path, name: str) -> None:
    before = git(lab, "for-each-ref")
    with pytest.raises(RepositoryError, match="may write"):
        repo.set_ref(name, repo.empty_commit("HEAD", subject="s", trailers={}))
    assert git(lab, "for-each-ref") == before


def test_a_ref_to_nothing_is_refused(repo: Repo) -> None:
    with pytest.raises(RepositoryError, match="refs/council/n/x1"):
        repo.set_ref("refs/council/n/x1", "1" * 40)


@pytest.mark.parametrize("packed", [False, True])
def test_a_branch_called_council_is_refused_with_the_command(lab: Path, repo: Repo, packed: bool) -> None:
    repo.check_free()
    git(lab, "branch", "council")
    if packed:
        git(lab, "pack-refs", "--all")
    with pytest.raises(RepositoryError) as error:
        repo.check_free()
    assert "git branch -m council council-old" in error.value.hint and error.value.exit_code == 2
    git(lab, "branch", "-m", "council", "council-old")
    repo.check_free()
    night(repo)
    repo.check_free()
