"""Starts a box: a fresh process with a socket, an empty folder and almost no environment.

Why an allow-list: whatever is inherited by default (keys, paths, open files) is what an edited
`train.py` could use. How much more a box is shut in is its *tier*: `bwrap` (`sandbox_bwrap.py`),
`landlock` (`sandbox_landlock.py`), or `none`, a process of the same user that can read the disk and reach
the network. Which of them a machine can keep is found out in `sandbox_tiers.py`. Results say the tier.

To add a tier, give it a name in `TIERS`, a way in here, and a line in the table of docs/sandbox.md.
"""

import json
import os
import shutil
import site
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.memory import sealed
from lab.process import exit_code, processes
from lab.protocol import Channel

TIERS = ("bwrap", "landlock", "none")  # strongest first
PROCESSES = 512  # and threads, of one box; as root of all boxes together, for all of them are nobody
INHERITED = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_HOME", "NVIDIA_VISIBLE_DEVICES")
PACKAGE_PARENT = Path(__file__).resolve().parent.parent


def environment(folder: Path, device: str) -> dict[str, str]:
    """All variables that a box has."""
    fixed = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(PACKAGE_PARENT),
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if site.ENABLE_USER_SITE:
        fixed["PYTHONUSERBASE"] = site.getuserbase()  # HOME is another one, torch may lie under the old
    return fixed | (_on_cpu() if device == "cpu" else _on_gpu(folder))


def _on_cpu() -> dict[str, str]:
    """One thread; and big tensors are kept in the heap, or every step pays for page faults again."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    waiting = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "CUDA_VISIBLE_DEVICES": ""}
    heap = {
        "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
        "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
        "MALLOC_TOP_PAD_": str(64 << 20),
    }
    return threads | waiting | heap


def _on_gpu(folder: Path) -> dict[str, str]:
    caches = {"TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"), "TRITON_CACHE_DIR": str(folder / "triton")}
    allocator = {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}
    return caches | allocator | {name: os.environ[name] for name in INHERITED if name in os.environ}


@dataclass
class Box:
    """A running box, as the referee sees it."""

    process: subprocess.Popen[bytes]
    channel: Channel
    output: int  # non-blocking descriptor of what it prints, -1 if nobody listens
    folder: Path
    wrapped: bool = False  # the process is bwrap, which says how the box ended in numbers of its own

    @property
    def pid(self) -> int:
        return self.process.pid

    def exit_code(self) -> int | None:
        """How it ended, None while it runs."""
        code = exit_code(self.pid)
        return 128 - code if self.wrapped and code is not None and code > 128 else code

    def close(self) -> None:
        """Forget a box whose processes have ended."""
        self.process.returncode = self.process.returncode or 0  # it was waited for by pid
        self.channel.close()
        self.stop_listening()

    def stop_listening(self) -> None:
        """Close the pipe that the box prints into."""
        if self.output >= 0:
            os.close(self.output)
            self.output = -1


def launch(spec: dict[str, Any], fds: dict[str, int], folder: Path, listen: bool, tier: str = "none") -> Box:
    """Start a box of `tier` in `folder` with a socket and `fds`, and nothing else of ours.

    `spec` is what the box is told at once; `listen` keeps what it prints. Raises OSError or LabError.
    """
    ours, theirs = socket.socketpair()
    output, printed = os.pipe() if listen else (-1, -1)
    inherited = {"socket": theirs.fileno(), **fds}
    kept: list[int] = []
    try:
        spec = spec | {"parent": os.getpid(), "fds": inherited}
        way_in = {"none": _plain, "bwrap": _bwrap, "landlock": _landlock}[tier]
        command, inside = way_in(spec, folder, kept)
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=printed if listen else subprocess.DEVNULL,
            stderr=printed if listen else subprocess.DEVNULL,
            env=environment(inside, spec["device"]),
            cwd=folder,
            pass_fds=[*inherited.values(), *kept],
            start_new_session=True,  # a Ctrl-C in the terminal is for the referee alone
        )
    except (OSError, LabError):
        ours.close()
        if listen:
            os.close(output)
        raise
    finally:
        theirs.close()
        for fd in (*kept, *([printed] if listen else [])):
            os.close(fd)
    if listen:
        os.set_blocking(output, False)
    return Box(process, Channel(ours), output, folder, wrapped=tier == "bwrap")


def _python(module: str, spec: dict[str, Any]) -> list[str]:
    return [sys.executable, "-P", "-m", module, json.dumps(spec)]


def _plain(spec: dict[str, Any], folder: Path, kept: list[int]) -> tuple[list[str], Path]:
    """Command of a box, and its folder as it sees it."""
    return _python("lab.box", spec), folder


def _bwrap(spec: dict[str, Any], folder: Path, kept: list[int]) -> tuple[list[str], Path]:
    """The same behind bwrap; `kept` gains the descriptors that bwrap has to read."""
    from lab import sandbox_bwrap as bwrap
    from lab.sandbox_layout import layout
    from lab.sandbox_seccomp import program

    cuda = spec["device"] == "cuda"
    empty = folder / "empty"
    empty.mkdir(mode=0o755)
    kept.append(_readable("filter", program(_traits(spec, "bwrap"))))
    words = bwrap.arguments(layout(spec["device"]), spec["device"], spec["role"] != "score" or cuda, empty, kept[0])
    kept.append(_readable("arguments", b"".join(word.encode() + b"\0" for word in words)))
    enter = _limits(spec["device"]) | {"tier": "bwrap", "uid": bwrap.NOBODY}
    box = _python("lab.sandbox_enter", spec | {"parent": 1, "enter": enter})  # 1 is bwrap, in the box's eyes
    return [bwrap.executable(), "--args", str(kept[1]), "--", *box], Path(bwrap.INSIDE)


def _landlock(spec: dict[str, Any], folder: Path, kept: list[int]) -> tuple[list[str], Path]:
    """A box that restricts itself, by rules that `kept` gains a descriptor of."""
    from lab import sandbox_landlock as landlock
    from lab.sandbox_bwrap import NOBODY

    landlock.abi()
    cuda = spec["device"] == "cuda"
    writable = folder if spec["role"] != "score" or cuda else None
    if os.getuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    kept.append(_readable("rules", landlock.rules(spec["device"], writable)))
    enter = {"tier": "landlock", "traits": _traits(spec, "landlock"), "uid": NOBODY, "rules_fd": kept[0]}
    return _python("lab.sandbox_enter", spec | {"enter": _limits(spec["device"]) | enter}), folder


def _traits(spec: dict[str, Any], tier: str) -> tuple[str, ...]:
    """What decides which system calls a box may make."""
    return ("every", spec["role"], spec["device"], tier)


def _limits(device: str) -> dict[str, Any]:
    """What one box may use of the machine. CUDA reserves more addresses than there is memory."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "memory_bytes": 0 if device == "cuda" else max(8 << 30, memory * 3 // 4),
        "file_bytes": (8 << 30) if device == "cuda" else (1 << 30),
        "processes": PROCESSES,
    }


def _readable(name: str, data: bytes) -> int:
    """The descriptor of memory that holds `data`, standing at its beginning."""
    fd = sealed(name, [data])
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


class RunFolder:
    """The folder of one measurement, outside any worktree, gone when it is over.

    Its name holds pid and start time of its owner: a folder whose owner was killed is removed by the
    next measurement of the same user.
    """

    def __init__(self) -> None:
        """Make the folder. Raises OSError."""
        base = Path(tempfile.gettempdir()) / f"council-lab-{os.getuid()}"
        base.mkdir(mode=0o700, exist_ok=True)
        _sweep(base)
        me = processes()[os.getpid()]
        self.path = Path(tempfile.mkdtemp(prefix=f"run-{me.pid}-{me.started.replace(' ', '_')}-", dir=base))

    def fresh(self, name: str) -> Path:
        """A new folder inside."""
        folder = self.path / name
        folder.mkdir()
        return folder

    def remove(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.path, ignore_errors=True)


def _sweep(base: Path) -> None:
    alive = {(str(p.pid), p.started.replace(" ", "_")) for p in processes().values()}
    for folder in base.glob("run-*-*-*"):
        _, pid, started, _ = folder.name.split("-", 3)
        if (pid, started) not in alive:
            shutil.rmtree(folder, ignore_errors=True)
