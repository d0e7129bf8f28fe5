"""Worktrees of experiments, and what a killed run leaves behind.

Why: an experiment runs in a checkout of its own so that the user can go on working in his. Everything lies below
`.council`, belongs to the council alone and can be removed at any time by whoever holds the session's lock. No prune of
the whole repository: a worktree of the user's on a disk that is not mounted must survive.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from council.errors import RepositoryError, StoreError
from council.repo_text import failed, valid_session_name
from council.types import TRAIN_PY

if TYPE_CHECKING:
    from council.repo import Repo


@contextmanager
def temporary(home: Path) -> Iterator[Path]:
    """A folder for a temporary index, named by our process so that a sweep can tell whether we still live."""
    try:
        (home / "tmp").mkdir(exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=home / "tmp"))
    except OSError as error:
        raise StoreError(f"{home} cannot be written: {error}", hint="Free some disk space, then resume.") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def worktree(repo: Repo, commit: str, name: str) -> Iterator[Path]:
    """A detached checkout of `commit`, without hooks and filters; see `Repo.worktree`."""
    if not valid_session_name(name):
        raise RepositoryError(f"{name!r} cannot be the name of a worktree.")
    path = repo.home() / "worktrees" / name
    _remove(repo, path)
    try:
        _add(repo, commit, path)
        yield path
    finally:
        with suppress(OSError, RepositoryError, StoreError):
            _remove(repo, path)


def _add(repo: Repo, commit: str, path: Path) -> None:
    settings = ("core.attributesFile=/dev/null", "core.autocrlf=false", "advice.detachedHead=false")
    args = [*_without_filters(repo), *(part for setting in settings for part in ("-c", setting))]
    args += ["worktree", "add", "--quiet", "--force", "--detach", str(path), commit]
    status, _, err = repo.call(args, env={"GIT_LFS_SKIP_SMUDGE": "1"}, user=True)
    if status != 0:
        raise failed(f"Checking out {commit}", err)
    train = path / TRAIN_PY
    if train.is_file() and not train.is_symlink():
        data = repo.git("cat-file", "blob", f"{commit}:{TRAIN_PY}", what=f"Reading {TRAIN_PY}")
        if train.read_bytes() != data:
            train.write_bytes(data)


def _without_filters(repo: Repo) -> list[str]:
    """Options that switch off every filter the user configured: what runs is what was committed."""
    _, out, _ = repo.call(["config", "--name-only", "-z", "--get-regexp", r"^filter\..*"], user=True)
    names = {name.rpartition(".")[0] for name in out.decode("utf-8", "replace").split("\0") if name}
    off = ("smudge=", "process=", "clean=", "required=false")
    return [part for name in sorted(names | {"filter.lfs"}) for rest in off for part in ("-c", f"{name}.{rest}")]


def _remove(repo: Repo, path: Path) -> None:
    """Remove a worktree and its record in the repository, whatever state a kill left them in."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path, onerror=_insist)
    repo.call(["worktree", "remove", "--force", "--force", str(path)], user=True)


def _insist(function: Callable[[str], object], path: str, _: object) -> None:
    """Try again after making a folder writable that an experiment made read-only."""
    with suppress(OSError):
        os.chmod(Path(path).parent, stat.S_IRWXU)
        os.chmod(path, stat.S_IRWXU)
        if Path(path).is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            function(path)


def sweep(repo: Repo) -> list[str]:
    """Remove what killed runs left; see `Repo.sweep`."""
    home = repo.home()
    folder = home / "worktrees"
    left = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    _, out, _ = repo.call(["worktree", "list", "--porcelain"], user=True)
    for line in out.decode("utf-8", "surrogateescape").splitlines():
        place = Path(line.removeprefix("worktree "))
        if line.startswith("worktree ") and place.parent.resolve() == folder.resolve():
            left.add(place.name)
    for name in left:
        _remove(repo, folder / name)
    for entry in (home / "tmp").glob("*-*"):
        if not _alive(entry.name.partition("-")[0]):
            shutil.rmtree(entry, ignore_errors=True)
    for space in ("refs/council", "refs/heads/council"):
        for lock in (repo.common_dir / space).rglob("*.lock"):
            lock.unlink(missing_ok=True)
    return sorted(left)


def _alive(pid: str) -> bool:
    if not pid.isdigit() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
