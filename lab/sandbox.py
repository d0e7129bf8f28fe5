"""Starts a box: a fresh process with a socket, an empty folder and almost no environment.

Why an allow-list: whatever is inherited by default (keys, paths, open files) is what an edited
`train.py` could use. One tier exists so far, `none`: a process of its own, but of the same user, that
can read the disk and reach the network. Results say so.

A stronger tier is a function that turns the command of a box into the command of a sandboxed box.
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

from lab.process import exit_code, processes
from lab.protocol import Channel

TIERS = ("none",)
INHERITED = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_HOME", "NVIDIA_VISIBLE_DEVICES")
PACKAGE_PARENT = Path(__file__).resolve().parent.parent


def resolve(tier: str) -> str:
    """The tier that `tier` stands for: `auto` is the strongest there is here."""
    return TIERS[-1] if tier == "auto" else tier


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

    @property
    def pid(self) -> int:
        return self.process.pid

    def exit_code(self) -> int | None:
        """How it ended, None while it runs."""
        return exit_code(self.pid)

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


def launch(spec: dict[str, Any], fds: dict[str, int], folder: Path, listen: bool) -> Box:
    """Start a box in `folder` with a socket and `fds`, and nothing else of ours.

    `spec` is what the box is told at once; `listen` keeps what it prints. Raises OSError.
    """
    ours, theirs = socket.socketpair()
    output, printed = os.pipe() if listen else (-1, -1)
    spec = spec | {"parent": os.getpid(), "fds": fds | {"socket": theirs.fileno()}}
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "lab.box", json.dumps(spec)],
            stdin=subprocess.DEVNULL,
            stdout=printed if listen else subprocess.DEVNULL,
            stderr=printed if listen else subprocess.DEVNULL,
            env=environment(folder, spec["device"]),
            cwd=folder,
            pass_fds=[theirs.fileno(), *fds.values()],
            start_new_session=True,  # a Ctrl-C in the terminal is for the referee alone
        )
    except OSError:
        ours.close()
        if listen:
            os.close(output)
        raise
    finally:
        theirs.close()
        if listen:
            os.close(printed)
    if listen:
        os.set_blocking(output, False)
    return Box(process, Channel(ours), output, folder)


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
