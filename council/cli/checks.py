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
from typing import TYPE_CHECKING

from council.errors import CouncilError, StoreEmpty

if TYPE_CHECKING:
    from council.config import Config, Lab

FREE_BYTES, LEAST_BYTES = 2 << 30, 100 << 20
"""Less free disk space than the first is worth a word; with less than the second no session can run."""

LAB_SECONDS = 60
ROUNDS = 6
"""How long the night is that doctor proposes."""


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
    except OSError as error:
        return Check(name, "missing", str(error), "That is the machine's: look at its disks and their permissions.")
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
    if closed := _closed("repository", repo.root, repo.common_dir):
        return closed
    return Check("repository", "ok", f"{repo.root}, train.py and program.md are committed")


def _program(folder: Path) -> Check:
    config = _config_or_none(folder)
    file = lab_root(folder) / (config.program if config else "program.md")
    if file.is_file():
        return Check("program", "ok", f"{file.name}, {len(file.read_text(encoding='utf-8').split())} words")
    told, mend = f"there is no {file}", "council init DIR writes one to start from"
    if config:
        raise config.source.wrong(("program",), told, mend)
    return Check("program", "missing", told, mend)


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
    done = _ask("-m", "lab", "--help")
    if done.returncode:
        return Check("lab", "missing", f"`python -m lab` fails: {done.stderr.strip()[-200:]}", "make setup")
    return Check("lab", "ok", f"python -m lab runs, torch {torch}")


def _ask(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this interpreter with the lab in reach and nothing of the present folder."""
    with tempfile.TemporaryDirectory() as elsewhere:
        return subprocess.run(
            [sys.executable, "-P", *arguments],
            cwd=elsewhere,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LAB_SECONDS,
        )


def _corpus(folder: Path) -> Check:
    cache = _cache()
    ready = sorted(p.name for p in cache.iterdir() if p.is_dir()) if cache.is_dir() else []
    if ready:
        return Check("corpus", "ok", f"prepared in {cache}: {', '.join(ready[:4])}")
    if not os.access(_there(cache), os.W_OK):
        return Check("corpus", "missing", f"{cache} cannot be written", "Set COUNCIL_LAB_CACHE to another folder.")
    return Check(
        "corpus", "note", f"nothing prepared in {cache} yet", "The first run does it; or now: python -m lab prepare"
    )


def _device(folder: Path) -> Check:
    """Where train.py will run: the lab is asked, since a driver alone is no GPU that torch can use."""
    asked = _asked(folder)
    done = _ask("-c", "from lab.conditions import best_device; print(best_device())")
    best = done.stdout.strip()
    if best not in ("cpu", "cuda", "mps"):
        return Check("device", "missing", f"the lab cannot tell: {done.stderr.strip()[-200:]}", "make setup")
    if asked.device not in ("auto", "cpu", best):
        told = f"council.yaml says `device: {asked.device}`, but torch can use no such GPU here"
        return Check("device", "missing", told, "Say `device: auto` under `lab`, or mend driver and torch.")
    used = best if asked.device == "auto" else asked.device
    seconds = (15 if used == "cpu" else 300) if asked.budget == "auto" else asked.budget
    told = f"experiments train on {'the CPU' if used == 'cpu' else f'the GPU ({used})'}, {seconds:g} s each"
    if used == "cpu" and asked.device == "auto":
        idle = "an NVIDIA driver is here, but torch cannot use it" if shutil.which("nvidia-smi") else "no GPU"
        return Check("device", "note", f"{idle}; {told}")
    return Check("device", "ok", told)


def _sandbox(folder: Path) -> Check:
    from council.executors.local import tier_here

    asked = _asked(folder).sandbox
    tier, problem = ("none", "council.yaml says `sandbox: none`") if asked == "none" else tier_here(asked)
    if tier != "none":
        return Check("sandbox", "ok", f"{tier}: edited code is shut in, every promise was tried here")
    mend = "See: python -m lab selftest. Until then sessions run unsandboxed, and only if you accept that."
    return Check("sandbox", "note", problem.splitlines()[0], mend)


def _disk(folder: Path) -> Check:
    """The fullest of the disks that a session writes to."""
    places = (lab_root(folder), Path(tempfile.gettempdir()), _there(_cache()))
    free, place = min(((shutil.disk_usage(place).free, place) for place in places), key=lambda found: found[0])
    told = f"{free / 2**30:.1f} GiB free" if free >= 1 << 30 else f"{free >> 20} MiB free"
    state = "ok" if free > FREE_BYTES else "note" if free > LEAST_BYTES else "missing"
    return Check("disk", state, f"{told} at {place}", "" if state == "ok" else "Free some space.")


def _database(folder: Path) -> Check:
    from council.cli.common import database
    from council.lock import holder
    from council.store import Store
    from council.views.words import plural

    path = database(lab_root(folder))
    try:
        store = Store(path, read_only=True)
    except StoreEmpty:
        return _closed("database", _there(path)) or Check("database", "ok", "none yet; the first run makes it")
    try:
        sessions = next(store.query("SELECT count(*) AS n FROM sessions"))["n"]
    finally:
        store.close()
    if closed := _closed("database", path, path.parent):
        return closed
    pid = holder(path.parent / "lock")
    running = f", process {pid} is running one" if pid else ""
    return Check("database", "ok", f"{path}, {plural(sessions, 'session')}{running}")


def _session(folder: Path) -> Check:
    """The command that fits who is present, by asking what `council run` would refuse; its `what` is the command."""
    from council.session import Request, plan

    top = lab_root(folder)

    def present(*, offline: bool) -> list[str] | CouncilError:
        try:
            found = plan(Request(top, top / "council.yaml", rounds=ROUNDS, offline=offline))
            return [name for name, _, absent in found.members if not absent]
        except CouncilError as error:
            return error

    everybody, alone = present(offline=False), present(offline=True)
    if isinstance(everybody, list) and everybody != alone:
        return Check("session", "ok", f"council run --rounds {ROUNDS}")
    if isinstance(alone, CouncilError):
        raise everybody if isinstance(everybody, CouncilError) else alone
    why = f"With the network: {everybody.message}" if isinstance(everybody, CouncilError) else ""
    return Check("session", "note" if why else "ok", f"council run --offline --rounds {ROUNDS}", why)


def _closed(name: str, *places: Path) -> Check | None:
    """What to say where a session may not write, or None."""
    for place in places:
        if not os.access(place, os.W_OK):
            return Check(
                name, "missing", f"{place} cannot be written", "Look at its owner, permissions and how it is mounted."
            )
    return None


def _asked(folder: Path) -> Lab:
    """What council.yaml says of the lab; the defaults where it is broken."""
    from council.config import Lab

    config = _config_or_none(folder)
    return config.lab if config else Lab()


def _config_or_none(folder: Path) -> Config | None:
    """What council.yaml says, or None where it is broken, which the check of the file tells."""
    from council.config import load

    try:
        return load(lab_root(folder) / "council.yaml")
    except CouncilError:
        return None


def _cache() -> Path:
    return Path(os.environ.get("COUNCIL_LAB_CACHE") or Path.home() / ".cache" / "council-lab")


def _there(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(p for p in (path, *path.parents) if p.exists())


def lab_root(folder: Path) -> Path:
    """The root of the repository that holds a folder, or the folder itself."""
    return next((p for p in (folder, *folder.parents) if (p / ".git").exists()), folder)


CHECKS: tuple[Callable[[Path], Check], ...] = (
    *(_python, _git, _repository, _program, _config, _members, _lab, _corpus, _device, _sandbox, _disk, _database),
    _session,
)
