"""The checks of `council doctor`. Each looks at one thing and never raises.

How to extend: write a function that takes the folder and returns a Check, and add it to CHECKS. `missing` means that a
session could not run, `note` that it could, but the user should know.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from council.errors import CouncilError

FREE_BYTES = 2 << 30
"""Less free disk space than this is worth a word."""

LAB_SECONDS = 60


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: `state` is ok, note or missing; `mend` says what to do."""

    name: str
    state: str
    what: str
    mend: str = ""


def every(folder: Path) -> list[Check]:
    """All checks, in the order in which one would mend them."""
    return [_safe(check, folder) for check in CHECKS]


def _safe(check: Callable[[Path], Check], folder: Path) -> Check:
    name = check.__name__.lstrip("_")
    try:
        return check(folder)
    except CouncilError as error:
        return Check(name, "missing", " ".join(filter(None, (error.message, error.kept))), error.hint)
    except Exception as error:  # a broken check must not hide the others
        return Check(name, "missing", f"{type(error).__name__}: {error}", "Report this to the project.")


def _python(folder: Path) -> Check:
    return Check("python", "ok", f"{platform.python_version()} at {sys.executable}")


def _git(folder: Path) -> Check:
    found = shutil.which("git")
    if found is None:
        return Check("git", "missing", "not found", "Install it: apt install git, or brew install git")
    told = subprocess.run([found, "--version"], capture_output=True, text=True).stdout.strip()
    return Check("git", "ok", told)


def _repository(folder: Path) -> Check:
    from council.repo import Repo

    repo = Repo.open(folder)
    repo.check_free()
    repo.start_commit(from_worktree=False)
    return Check("repository", "ok", f"{repo.root}, train.py and program.md are committed")


def _program(folder: Path) -> Check:
    file = lab_root(folder) / "program.md"
    if file.is_file():
        return Check("program", "ok", f"{file.name}, {len(file.read_text(encoding='utf-8').split())} words")
    return Check("program", "missing", f"there is no {file}", "council init DIR writes one to start from")


def _config(folder: Path) -> Check:
    from council.config import load

    config = load(lab_root(folder) / "council.yaml")
    return Check("config", "ok", f"council.yaml: {len(config.members)} members, {config.stop.rounds} rounds")


def _members(folder: Path) -> Check:
    from council.assembly import members_of
    from council.config import load

    present, absent = members_of(load(lab_root(folder) / "council.yaml"), offline=False)
    told = f"present: {', '.join(present) or 'none'}"
    if absent:
        told += f"; absent: {', '.join(f'{name} ({why})' for name, why in absent.items())}"
    if len(present) < 2:
        return Check("members", "missing", told, "A council needs two: random, optuna and textbook need no key.")
    return Check("members", "note" if absent else "ok", told)


def _lab(folder: Path) -> Check:
    try:
        torch = version("torch")
    except PackageNotFoundError:
        return Check("lab", "missing", "torch is not installed", "make setup")
    with tempfile.TemporaryDirectory() as elsewhere:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "lab", "--help"],
            cwd=elsewhere,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LAB_SECONDS,
        )
    if done.returncode:
        return Check("lab", "missing", f"`python -m lab` fails: {done.stderr.strip()[-200:]}", "make setup")
    return Check("lab", "ok", f"python -m lab runs, torch {torch}")


def _corpus(folder: Path) -> Check:
    cache = Path(os.environ.get("COUNCIL_LAB_CACHE") or Path.home() / ".cache" / "council-lab")
    ready = sorted(p.name for p in cache.iterdir() if p.is_dir()) if cache.is_dir() else []
    if ready:
        return Check("corpus", "ok", f"prepared in {cache}: {', '.join(ready[:4])}")
    return Check(
        "corpus", "note", f"nothing prepared in {cache} yet", "The first run does it; or now: python -m lab prepare"
    )


def _device(folder: Path) -> Check:
    if shutil.which("nvidia-smi"):
        return Check("device", "ok", "an NVIDIA driver is here; experiments train on the GPU")
    return Check("device", "note", f"no NVIDIA driver; experiments train on {os.cpu_count()} CPU cores, 15 s each")


def _sandbox(folder: Path) -> Check:
    from council.executors.local import tier_here

    tier, problem = tier_here("auto")
    if tier != "none":
        return Check("sandbox", "ok", f"{tier}: edited code is shut in, every promise was tried here")
    mend = "See: python -m lab selftest. Until then sessions run unsandboxed, and only if you accept that."
    return Check("sandbox", "note", problem.splitlines()[0], mend)


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    told = f"{free / 2**30:.1f} GiB free"
    return Check("disk", "ok", told) if free > FREE_BYTES else Check("disk", "note", told, "Free some space.")


def _database(folder: Path) -> Check:
    from council.cli.common import database
    from council.lock import holder
    from council.store import Store
    from council.views.words import plural

    path = database(lab_root(folder))
    if not path.is_file():
        return Check("database", "ok", "none yet; the first run makes it")
    store = Store(path, read_only=True)
    try:
        sessions = next(store.query("SELECT count(*) AS n FROM sessions"))["n"]
    finally:
        store.close()
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        return Check("database", "missing", f"{path} cannot be written", "Check its owner and permissions.")
    pid = holder(path.parent / "lock")
    running = f", process {pid} is running one" if pid else ""
    return Check("database", "ok", f"{path}, {plural(sessions, 'session')}{running}")


def lab_root(folder: Path) -> Path:
    """The root of the repository that holds a folder, or the folder itself."""
    return next((p for p in (folder, *folder.parents) if (p / ".git").exists()), folder)


CHECKS: tuple[Callable[[Path], Check], ...] = (
    *(_python, _git, _repository, _program, _config, _members, _lab, _corpus, _device, _sandbox, _disk, _database),
)
