"""A night leaves the user's git as it was and asks nothing of it: hooks, signing, identity, filters, disk."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from council.errors import StoreError
from council.repo import Repo
from tests.test_repo import LONG_AGO, git, make, night, state


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    return make(tmp_path / "lab-repo")


@pytest.fixture
def repo(lab: Path) -> Repo:
    return Repo.open(lab)


def hostile_setup(lab: Path) -> None:
    """Hooks that fail, a signer that fails, and settings that change what git prints."""
    hooks = lab / "my-hooks"
    hooks.mkdir()
    names = ("pre-commit", "commit-msg", "post-checkout", "reference-transaction", "post-index-change", "post-commit")
    for name in names:
        (hooks / name).write_text("#!/bin/sh\necho $0 >> hooks-ran\nexit 1\n")
        (hooks / name).chmod(0o755)
    (lab / ".gitattributes").write_text("*.py diff=loud filter=shout text eol=crlf\n*.md -diff\n")
    for key, value in {
        "core.hooksPath": str(hooks), "commit.gpgSign": "true", "gpg.program": "false", "user.signingKey": "none",
        "color.ui": "always", "diff.external": "false", "diff.loud.textconv": "false", "diff.loud.xfuncname": "WIDTH.*",
        "diff.noprefix": "true", "diff.context": "0", "diff.renames": "copies", "diff.algorithm": "patience",
        "filter.shout.smudge": "tr a-z A-Z", "filter.shout.clean": "tr A-Z a-z", "filter.shout.required": "true",
        "core.autocrlf": "true", "core.sparseCheckout": "true", "core.fsmonitor": "false", "core.splitIndex": "true",
        "i18n.commitEncoding": "latin1",
    }.items():  # fmt: skip
        git(lab, "config", key, value)


def test_hooks_signers_filters_and_settings_have_no_part_in_a_night(lab: Path, tmp_path: Path) -> None:
    plain = make(tmp_path / "plain")
    expected = Repo.open(plain).diff(*pair(Repo.open(plain)))
    hostile_setup(lab)
    before = state(lab)
    repo = Repo.open(lab)
    assert repo.diff(*pair(repo)) == expected
    repo.sweep()
    with repo.worktree(pair(repo)[1], "x1") as tree:
        assert (tree / "lab" / "train.py").read_bytes() == b"WIDTH = 65\n\n\ndef build():\n    return WIDTH\n"
    repo.set_ref("refs/heads/council/night", pair(repo)[1])
    assert not list(lab.rglob("hooks-ran")) and state(lab) == before


def pair(repo: Repo) -> tuple[str, str]:
    """HEAD and a child of it with another train.py."""
    text = repo.read("HEAD", "lab/train.py").replace("64", "65")
    return "HEAD", repo.commit_file("HEAD", "lab/train.py", text, subject="x1", trailers={}, at=LONG_AGO)


def test_no_identity_is_needed(lab: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    night(Repo.open(lab))


def test_git_variables_of_a_surrounding_hook_do_not_lead_elsewhere(
    lab: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = make(tmp_path / "other")
    before = state(other)
    for name, value in {
        "GIT_DIR": other / ".git", "GIT_WORK_TREE": other, "GIT_INDEX_FILE": other / ".git" / "index",
        "GIT_OBJECT_DIRECTORY": other / ".git" / "objects", "GIT_NAMESPACE": "elsewhere", "GIT_AUTHOR_NAME": "Eve",
        "GIT_EXTERNAL_DIFF": "false", "GIT_AUTHOR_DATE": "rubbish", "GIT_DIFF_OPTS": "-u0",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    repo = Repo.open(lab)
    assert repo.root == lab
    child = night(repo)
    for name in list(os.environ):
        if name.startswith("GIT_") and not name.startswith("GIT_CONFIG"):
            monkeypatch.delenv(name)
    assert git(lab, "log", "-1", "--format=%an", child) == "council\n"
    assert state(other) == before and git(other, "for-each-ref", "refs/council") == ""


def test_the_users_checkout_index_and_status_stay_byte_for_byte(lab: Path) -> None:
    (lab / "notes.txt").write_text("mine")
    (lab / "staged.txt").write_text("half")
    git(lab, "add", "staged.txt")
    (lab / "staged.txt").write_text("half done")
    before, status = state(lab), git(lab, "status", "--porcelain=v2", "--branch")
    night(Repo.open(lab))
    assert state(lab) == before
    assert git(lab, "status", "--porcelain=v2", "--branch") == status
    assert (lab / ".council").is_dir()


def test_a_session_works_in_a_linked_worktree_of_the_user(lab: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git(lab, "worktree", "add", "--quiet", "-b", "mine", str(linked))
    repo = Repo.open(linked / "lab")
    assert repo.root == linked and repo.common_dir == lab / ".git"
    child = night(repo)
    assert git(lab, "rev-parse", "council/night").strip() == child
    assert git(linked, "status", "--porcelain") == "" and git(lab, "status", "--porcelain") == ""
    assert git(linked, "symbolic-ref", "HEAD").strip() == "refs/heads/mine"


def test_a_folder_with_odd_characters_works(tmp_path: Path) -> None:
    night(Repo.open(make(tmp_path / "a b'ü \"c")))


FULL = """
import os, resource, sys
from pathlib import Path
from council.errors import StoreError
from council.repo import Repo
repo = Repo.open(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
try:
    repo.commit_file("HEAD", "lab/train.py", os.urandom(40000).hex(), subject="s", trailers={})
except StoreError as error:
    print("StoreError:", error)
"""


def test_a_full_disk_is_an_error_of_the_store(lab: Path, root: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(lab)], capture_output=True, text=True, cwd=root)
    assert done.stdout.startswith("StoreError:"), done.stdout + done.stderr
    assert "space" in done.stdout
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 8192
    night(Repo.open(lab))


def test_git_saying_no_space_left_is_an_error_of_the_store(
    lab: Path, repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'fatal: unable to write file: No space left on device' >&2\nexit 128\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=os.pathsep)
    with pytest.raises(StoreError, match="disk is full"):
        repo.empty_commit("HEAD", subject="s", trailers={})


def test_importing_the_door_does_not_import_gitpython(root: Path) -> None:
    code = "import sys, council.repo; sys.exit('git' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
