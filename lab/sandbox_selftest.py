"""Tries every promise of a sandbox tier on this machine, and remembers the answer until something changes.

Why at start-up: whether a sandbox holds depends on kernel, distribution and settings, and the way to know is
to try. A box is started with a probe in it (`sandbox_probe.py`) that goes for a canary file, a fake key in
another process, two listeners, a victim, the held-out documents, and leaves a daemon behind. What is required
has to fail; the rest is reported. It takes about a second once per boot, kernel, bubblewrap and version of
this code, and is kept in the lab's cache.

    examine("bwrap").passed
"""

import hashlib
import json
import os
import platform
import secrets
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from lab.cache import cache_folder
from lab.errors import LabError
from lab.process import Tree, become_subreaper
from lab.sandbox import RunFolder, launch
from lab.sandbox_layout import hidden_folders, layout

REQUIRED = {  # guarantee: the attempts that must fail
    "secrets": ("read_canary", "read_key"),
    "network": ("connect", "connect_unix"),
    "writes outside": ("write_outside",),
    "hidden text": ("read_hidden",),
    "tree dead before scoring": ("daemon_lives",),
}
REPORTED = {
    "signals": ("signal_victim",),
    "ptrace": ("trace_victim",),
    "new namespaces": ("new_namespace",),
    "io_uring": ("io_uring",),
    "core dumps": ("core_dump",),
    "process limit": ("many_processes",),
    "disk limit": ("fill_disk",),
}
SECONDS = 20.0  # for a machine under load; a second is usual
CACHE_PREFIX = "selftest-"


@dataclass(frozen=True)
class Finding:
    """What a tier keeps closed here."""

    tier: str
    problem: str = ""  # why it could not even be started
    guarantees: dict[str, bool] = field(default_factory=dict)  # True is closed
    seconds: float = 0.0

    @property
    def open_required(self) -> list[str]:
        """Required guarantees that do not hold."""
        return [name for name in REQUIRED if not self.guarantees.get(name)]

    @property
    def passed(self) -> bool:
        return not self.problem and not self.open_required

    def to_dict(self) -> dict[str, Any]:
        """As `python -m lab selftest --json` prints it."""
        return asdict(self) | {"passed": self.passed, "open": self.open_required}


@cache
def examine(tier: str) -> Finding:
    """The self-test of `tier`, from the cache if nothing has changed since. Never raises."""
    path = cache_folder() / f"{CACHE_PREFIX}{tier}-{fingerprint()}.json"
    with suppress(OSError, ValueError, TypeError):
        return Finding(**json.loads(path.read_text()))
    finding = run(tier)
    if finding.passed:  # a failure is tried again, for it may have been mended
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            for old in path.parent.glob(f"{CACHE_PREFIX}{tier}-*.json"):
                old.unlink(missing_ok=True)
            scratch = path.with_suffix(f".{os.getpid()}")
            scratch.write_text(json.dumps(asdict(finding)))
            os.replace(scratch, path)
    return finding


def fingerprint() -> str:
    """Changes with the boot, the kernel, the user, bubblewrap, the packages and this code."""
    parts = [platform.version(), platform.release(), str(os.getuid()), sys.executable, sys.version]
    parts += [_text("/proc/sys/kernel/random/boot_id"), _text("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")]
    parts += [_text("/proc/sys/user/max_user_namespaces"), os.environ.get("PATH", "")]
    places = [Path(name, "bwrap") for name in os.environ.get("PATH", "").split(":")]
    places += sorted(Path(__file__).parent.glob("sandbox*.py")) + [folder.parent for folder in hidden_folders()]
    for place in places:
        with suppress(OSError):
            info = place.stat()
            parts.append(f"{place} {info.st_mtime_ns} {info.st_size}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def run(tier: str) -> Finding:
    """Try to break out of `tier` now."""
    began = time.monotonic()
    try:
        become_subreaper()
        found = _attempts(tier)
    except (LabError, OSError) as error:
        return Finding(tier, str(error), {}, round(time.monotonic() - began, 3))
    closed = {name: not any(found.get(a, True) for a in tries) for name, tries in (REQUIRED | REPORTED).items()}
    return Finding(tier, "", closed, round(time.monotonic() - began, 3))


def _attempts(tier: str) -> dict[str, bool]:
    """What worked. Raises LabError if the tier does not start."""
    with ExitStack() as stack:
        targets = stack.enter_context(_targets(tier))
        folder = RunFolder()
        stack.callback(folder.remove)
        spec = {"role": "selftest", "device": "cpu", "probe": targets}
        box = launch(spec, {}, folder.fresh("selftest"), listen=True, tier=tier)
        stack.callback(box.close)
        tree = Tree(box.pid, {box.pid, targets["victim"]})
        try:
            said = _first_line(box.output)
        finally:
            tree.end()
        try:
            found: dict[str, bool] = json.loads(said)
        except ValueError:
            raise LabError(f"does not start: {said.strip()[-300:] or 'it said nothing'}") from None
        found["write_outside"] |= _left_behind(targets)
        return found | {"daemon_lives": not found.get("daemon") or not _ended(box.output)}


def _left_behind(targets: dict[str, Any]) -> bool:
    """Whether the probe could make a file that is seen outside its box; it is removed."""
    left = [Path(folder, targets["mark"]) for folder in targets["folders"]]
    found = [path for path in left if path.exists()]
    for path in found:
        path.unlink()
    return bool(found)


@contextmanager
def _targets(tier: str) -> Iterator[dict[str, Any]]:
    """Everything the probe goes for: files, listeners, a victim with a key in its environment."""
    key, abstract = f"sk-selftest-{secrets.token_hex(8)}", f"council-{secrets.token_hex(8)}"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="council-canary-")))
        folder.chmod(0o777)
        canary = folder / "secret"
        canary.write_text(key)
        canary.chmod(0o666)
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        unix.bind(b"\0" + abstract.encode())
        unix.listen(1)
        victim = subprocess.Popen(["sleep", "60"], env={"OPENAI_API_KEY": key, "PATH": os.environ.get("PATH", "")})
        stack.callback(victim.wait)
        stack.callback(victim.kill)
        readable = [str(path) for path in layout().readable]
        yield {
            "tier": tier,
            "mark": f".selftest-{secrets.token_hex(8)}",
            "key": key,
            "canaries": [str(canary), "/etc/shadow", "/etc/hostname", str(Path.home() / ".bashrc")],
            "port": tcp.getsockname()[1],
            "abstract": abstract,
            "victim": victim.pid,
            "folders": [str(folder), str(Path.home()), "/", "/etc", "/dev/shm", "/var/tmp", *_folders(readable)],
            "files": [str(canary), *(path for path in readable if os.path.isfile(path))],
            **_hidden(),
        }


def _folders(paths: list[str]) -> list[str]:
    return [path for path in paths if os.path.isdir(path)]


def _hidden() -> dict[str, Any]:
    """Held-out documents by path, size and digest."""
    from lab.corpus import Sympy

    corpus = Sympy()
    documents = []
    for path in (*corpus.paths("validation"), *corpus.paths("vault")):
        data = (corpus.root / path).read_bytes()
        documents.append((path, len(data), hashlib.sha256(data).hexdigest()))
    return {"hidden": documents, "hidden_root": str(corpus.root)}


def _first_line(fd: int) -> str:
    """What the box prints up to the first line break, or until it ends or takes too long."""
    text, deadline = b"", time.monotonic() + SECONDS
    while b"\n" not in text or not text.startswith(b"{"):
        if not select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
            break
        data = os.read(fd, 65536)
        if not data:
            break
        text += data
    return text.decode("utf-8", "replace")


def _ended(fd: int) -> bool:
    """Whether nobody holds the other end of the pipe any more, and so no process of the box lives."""
    deadline = time.monotonic() + 2.0
    while select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
        if not os.read(fd, 65536):
            return True
    return False


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
