"""The tier `bwrap`: namespaces of its own and a file system put together from an allow-list.

Why bubblewrap: it needs no root where user namespaces are allowed, starts in milliseconds, and its pid
namespace is the one thing on Linux that a double fork cannot leave: when its first process is killed, the
kernel kills all others.

As root the mounts are made by root, so that what lies under a home of mode 0700 can be bound, and the box
gives root away before it runs anything else (`sandbox_enter.py`). An ordinary user becomes `nobody` by a
user namespace.
"""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from lab.errors import LabError
from lab.sandbox_layout import Layout

INSIDE = "/box"  # the run folder, as the box sees it
NOBODY = 65534
MB = 1 << 20
RUN_FOLDER_BYTES = {"cpu": 512 * MB, "cuda": 8192 * MB}  # the compiler's caches go there
SHARED_MEMORY_BYTES = 256 * MB
NVIDIA = ("nvidia0", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")
SIZED = (0, 7)  # the first version of bwrap that can limit a tmpfs


@cache
def executable() -> str:
    """Where bwrap is. Raises LabError if it is nowhere."""
    found = shutil.which("bwrap")
    if not found:
        raise LabError("bubblewrap is not installed: apt install bubblewrap (dnf and pacman call it bubblewrap too)")
    return found


@cache
def version() -> tuple[int, ...]:
    """The version of bwrap, for example (0, 8, 0)."""
    said = subprocess.run([executable(), "--version"], capture_output=True, text=True, check=False).stdout
    return tuple(int(number) for number in re.findall(r"\d+", said)[:3])


def arguments(layout: Layout, device: str, writable: bool, empty: Path, filter_fd: int) -> list[str]:
    """Everything between `bwrap` and the command. `empty` is an empty folder, `filter_fd` holds the seccomp filter.

    Without `writable` the box has no path that it could write to, and no /proc, whose counters all boxes share.
    """
    words = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    words += ["--die-with-parent", "--hostname", "box", "--seccomp", str(filter_fd)]
    words += _identity()
    for name, target in layout.links:
        words += ["--symlink", target, name]
    words += ["--proc", "/proc"] if writable else ["--dir", "/proc", "--ro-bind", "/proc/cpuinfo", "/proc/cpuinfo"]
    words += ["--dev", "/dev", *_tmpfs("/dev/shm", SHARED_MEMORY_BYTES, writable)]
    words += _devices() if device == "cuda" else []
    words += _files(layout, empty)
    words += _run_folder(layout, device, writable)
    for path in (*map(str, layout.emptied), "/dev", "/"):
        words += ["--remount-ro", path]
    return [*words, "--chdir", INSIDE]


def _identity() -> list[str]:
    """As root: the right to become nobody, and nothing else. Else: nobody in a user namespace of its own."""
    if os.getuid() == 0:
        return ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return ["--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)]


def _devices() -> list[str]:
    """The nodes of an NVIDIA GPU, after `--dev`; /sys, without which CUDA ends with error 304."""
    words = ["--ro-bind-try", "/sys", "/sys"]
    for name in NVIDIA:
        words += ["--dev-bind-try", f"/dev/{name}", f"/dev/{name}"]
    return words


def _files(layout: Layout, empty: Path) -> list[str]:
    words: list[str] = []
    emptied = set(layout.emptied)
    parents = {parent for path in layout.readable for parent in path.parents} - set(layout.readable)
    for path in sorted(parents - {Path("/")}):  # bwrap would make those of root's home 0700, and nobody could not pass
        words += ["--perms", "0755", "--dir", str(path)]
    for path in layout.readable:
        words += ["--ro-bind", os.path.realpath(path), str(path)]
        for inner in [folder for folder in emptied if path in folder.parents]:
            emptied.remove(inner)
            words += ["--tmpfs", str(inner)]
    for path in layout.covered:
        words += _cover(path, empty)
    return words


def _cover(path: Path, empty: Path) -> list[str]:
    """Nothing at `path`. A tmpfs is ten times cheaper than a bind, but an ordinary user's box could write to it."""
    return ["--perms", "0555", "--tmpfs", str(path)] if os.getuid() == 0 else ["--ro-bind", str(empty), str(path)]


def _run_folder(layout: Layout, device: str, writable: bool) -> list[str]:
    """The folder for temporary files, also under the name /tmp unless something readable lies there."""
    words = _tmpfs(INSIDE, RUN_FOLDER_BYTES.get(device, RUN_FOLDER_BYTES["cpu"]), writable)
    if not any(str(path).startswith("/tmp/") for path in layout.readable):
        words += ["--symlink", INSIDE, "/tmp"]
    return words


def _tmpfs(path: str, size: int, writable: bool) -> list[str]:
    if not writable:
        return ["--dir", path]
    sized = ["--size", str(size)] if version() >= SIZED else []
    return ["--perms", "1777", *sized, "--tmpfs", path]
