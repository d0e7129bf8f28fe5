"""Where a session may start: the checks on the user's repository before anything is spent.

Why: what is measured must be a commit, so an edited train.py that is not committed would silently be left out. Nothing
here writes to the user's checkout or index. How to extend: each refusal says what is the case and the command that
mends it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from council.errors import RepositoryError
from council.types import TRAIN_PY

if TYPE_CHECKING:
    from council.repo import Repo


def not_a_repository(folder: Path, err: str) -> RepositoryError:
    """Why git found no repository at `folder`."""
    if "dubious ownership" in err:
        return RepositoryError(
            f"git does not trust {folder}: it belongs to another user.",
            hint=f"If it is yours: git config --global --add safe.directory {folder}",
        )
    if "not a git repository" not in err:
        return RepositoryError(f"git cannot read the repository of {folder}: {err.strip()}")
    return RepositoryError(
        f"{folder} is not in a git repository.",
        hint="Make a new lab with `council init DIR`, or turn this folder into a repository: "
        'git init && git add -A && git commit -m "Start"',
    )


def no_checkout(folder: Path) -> RepositoryError:
    """The repository is bare, or `folder` is inside .git."""
    return RepositoryError(
        f"{folder} belongs to a bare repository or lies inside .git: there is no checkout to work on.",
        hint="Clone it (`git clone REPOSITORY DIR`) and run the council in the clone.",
    )


def _no_commit(root: Path) -> RepositoryError:
    return RepositoryError(
        f"The repository {root} has no commit yet, so there is nothing to start from.",
        hint='Make the first one: git add -A && git commit -m "Start"',
    )


def start_commit(repo: Repo, *, from_worktree: bool, program: str) -> str:
    """The commit to start from; see `Repo.start_commit`."""
    if not repo.exists("HEAD"):
        raise _no_commit(repo.root)
    head = repo.git("rev-parse", "--verify", "HEAD^{commit}", what="Reading HEAD").decode().strip()
    blobs = {path: blob for path in (TRAIN_PY, program) if (blob := _changed(repo, path, write=from_worktree))}
    if from_worktree:
        if not (repo.root / TRAIN_PY).is_file() or (repo.root / TRAIN_PY).is_symlink():
            raise _no_train(repo)
        blobs = {path: blob for path, blob in blobs.items() if blob != _GONE}
        if not blobs:
            return head
        return repo.commit_blobs(head, blobs, subject="Snapshot of the working tree", trailers={})
    if not _blob_in_head(repo, TRAIN_PY):
        raise _no_train(repo)
    if blobs:
        names, are = " and ".join(blobs), "are" if len(blobs) > 1 else "is"
        raise RepositoryError(
            f"{names} {are} not as in the last commit, which is what a session would measure.",
            hint=f"{_to_commit(repo, ' '.join(blobs))}, or start from a snapshot: council run --from-worktree",
        )
    return head


_AT_HAND = {
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
}
"""What git leaves in its folder while it waits for a conflict to be solved, during which it commits no single file."""


def _to_commit(repo: Repo, paths: str) -> str:
    """How to make the files as in the last commit."""
    if doing := next((word for mark, word in _AT_HAND.items() if (repo.git_dir / mark).exists()), ""):
        return f"A {doing} is not finished: solve its conflicts, then git add {paths} && git {doing} --continue"
    return f"Commit first (git commit -m 'Before the session' -- {paths}; `git add` a new file before)"


def _no_train(repo: Repo) -> RepositoryError:
    if (repo.root / TRAIN_PY).is_file() and not (repo.root / TRAIN_PY).is_symlink():
        return RepositoryError(
            f"{TRAIN_PY} is in the folder but not in the last commit.",
            hint=f'Commit it (git add {TRAIN_PY} && git commit -m "Add train.py"), or start from a snapshot: '
            "council run --from-worktree",
        )
    return RepositoryError(
        f"There is no plain file {TRAIN_PY} in the repository {repo.root}.",
        hint="Run the council at the root of a lab, or make a new one: council init DIR",
    )


_GONE = "gone"
"""Stands for the blob of a file that the working tree lacks."""


def _changed(repo: Repo, path: str, *, write: bool) -> str:
    """Empty when checkout and index hold `path` as HEAD does; else the blob in the checkout, or `_GONE`."""
    file = repo.root / path
    if not file.resolve().is_relative_to(repo.root.resolve()):
        return ""
    committed, staged = _blob_in_head(repo, path), _blob_in_index(repo, path)
    present = _blob_in_checkout(repo, path, committed, write=write) if file.is_file() else ""
    if present == committed and (write or staged == committed):
        return ""
    return present or _GONE


def _blob_in_head(repo: Repo, path: str) -> str:
    """The blob of a plain file in HEAD; empty when there is none (absent, a link, a submodule)."""
    out = repo.git("ls-tree", "-z", "HEAD", "--", path, what=f"Looking for {path} in HEAD").decode(errors="replace")
    mode, _, rest = out.partition(" ")
    return rest.split(" ")[1].split("\t")[0] if mode in ("100644", "100755") else ""


def _blob_in_index(repo: Repo, path: str) -> str:
    """What the user's index holds of `path`, read only; an unfinished merge gives something that equals no blob."""
    status, out, err = repo.call(["ls-files", "-z", "--stage", "--", path], user=True)
    if status != 0:
        raise RepositoryError(f"git cannot read the index of {repo.root}: {err.strip()}")
    rows = [row.split("\t")[0].split(" ") for row in out.decode(errors="replace").split("\0") if row]
    if len(rows) > 1:
        return "unmerged"
    return rows[0][1] if rows else ""


def _blob_in_checkout(repo: Repo, path: str, committed: str, *, write: bool) -> str:
    """The blob the checkout's file is or would become: the bytes as they are, or as `git add` would store them."""
    data = (repo.root / path).read_bytes()
    same = repo.git("hash-object", "--stdin", stdin=data, what=f"Reading {path}").decode().strip()
    if same == committed:
        return committed
    args = ["hash-object", *(["-w"] if write else []), f"--path={path}", "--stdin"]
    status, out, err = repo.call(args, stdin=data, user=True)
    if status != 0:
        raise RepositoryError(f"git cannot read {path}: {err.strip()}")
    return out.decode().strip()
