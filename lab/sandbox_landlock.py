"""The tier `landlock`: for machines where no namespace is to be had, through three calls of the kernel.

Why it exists: containers and some distributions forbid namespaces to ordinary programs, while Landlock asks
for no rights at all. A process restricts itself, before it runs anything else, to the files it was granted;
seccomp takes the network and the reach to other processes; limits do the rest. There is no namespace: the
process sees the pids of others, and its daemons are found and ended one by one.

Folders are granted for listing, their files one by one around what is covered: a folder that cannot be
listed breaks Python's import, and Landlock cannot take back below what it granted above.
"""

import ctypes
import errno
import os
import struct
import sys
from functools import cache
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.sandbox_seccomp import program

CREATE, ADD, RESTRICT = 444, 445, 446  # the same on every architecture
VERSION, PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE, IOCTL_DEV = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}  # files, by ABI
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # the others are for folders only
NETWORK_ABI, SCOPE_ABI = 4, 6
BIND_AND_CONNECT = 3
SCOPES = 3  # abstract Unix sockets and signals stay within the box
KEEP_CAPABILITIES, DAC_READ_SEARCH = 8, 2
CAPABILITY_VERSION = 0x20080522
SET_SECCOMP, FILTER = 22, 2
SET_NO_NEW_PRIVS = 38
DEVICES = ("/dev/zero", "/dev/random", "/dev/urandom", "/dev/full")
PROCESSOR = "/proc/cpuinfo"
COUNTERS: tuple[str, ...] = ("/proc/self", "/proc/meminfo", "/proc/stat", "/proc/sys/vm/overcommit_memory")
COUNTERS += ("/sys/devices/system/cpu", "/sys/fs/cgroup")  # which all boxes share


def abi() -> int:
    """The version of Landlock in this kernel. Raises LabError if there is none."""
    if sys.platform != "linux":
        raise LabError("there is no Landlock outside Linux")
    found: int = ctypes.CDLL(None, use_errno=True).syscall(CREATE, None, ctypes.c_size_t(0), VERSION)
    if found < 1:
        raise LabError("this kernel has no Landlock; it needs Linux 5.13 or newer with landlock in the lsm= list")
    return found


def rules(device: str, folder: Path | None) -> bytes:
    """What to grant, one line of mode and path each; `folder` is the only one that can be written to.

    A box without one is a score box, which sees no counters that another could move.
    """
    more = [f"a {folder}", *(f"r {path}" for path in COUNTERS)] if folder else []
    return "\n".join([*_standing(device), *more]).encode()


@cache
def _standing(device: str) -> tuple[str, ...]:
    """The rules of every box on this machine."""
    from lab.sandbox_layout import grants, layout  # not above: the box itself has no use for it, and it costs time

    found = layout(device)
    lines = {f"r {path}" for path in grants(found)}
    lines |= {f"d {path}" for path in found.readable if path.is_dir()}  # what is covered can be listed, not read
    lines |= {f"r {path}" for path in (*DEVICES, PROCESSOR)} | {"w /dev/null"}
    if device == "cuda":
        lines |= {f"w {path}" for path in Path("/dev").glob("nvidia*")} | {"r /sys", "r /proc/driver/nvidia"}
    return tuple(sorted(lines))


def enter(libc: Any, wanted: dict[str, Any]) -> None:
    """Restrict this process for good, and give root away if this is root."""
    with open(wanted["rules_fd"], "rb") as file:
        lines = file.read().decode().splitlines()
    version = abi()
    _must(libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _restrict(libc, version, lines)
    if os.getuid() == 0:
        _become(libc, wanted["uid"])
    _filter(libc, program(wanted["traits"], own_pid=os.getpid() if version < SCOPE_ABI else 0))


def _restrict(libc: Any, version: int, lines: list[str]) -> None:
    handled = RIGHTS[min(version, max(RIGHTS))]
    net = BIND_AND_CONNECT if version >= NETWORK_ABI else 0
    scoped = SCOPES if version >= SCOPE_ABI else 0
    size = 8 if version < NETWORK_ABI else 16 if version < SCOPE_ABI else 24
    attributes = struct.pack("<QQQ", handled, net, scoped)[:size]
    ruleset = libc.syscall(CREATE, attributes, ctypes.c_size_t(size), 0)
    _must(ruleset, "landlock_create_ruleset")
    modes = {"r": READ_FILE | READ_DIR | EXECUTE, "d": READ_DIR, "w": READ_FILE | WRITE_FILE | IOCTL_DEV, "a": handled}
    for line in lines:
        mode, _, path = line.partition(" ")
        _grant(libc, ruleset, path, modes[mode] & handled)
    _must(libc.syscall(RESTRICT, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def _grant(libc: Any, ruleset: int, path: str, access: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no permission
    try:
        access &= ~0 if os.path.isdir(path) else ON_FILES
        if access:
            _must(libc.syscall(ADD, ruleset, PATH_BENEATH, struct.pack("<Qi", access, fd), 0), f"a rule for {path}")
    finally:
        os.close(fd)


def _become(libc: Any, uid: int) -> None:
    """Another user, who may still read what Landlock grants although it lies under a home of mode 0700."""
    _must(libc.prctl(KEEP_CAPABILITIES, 1, 0, 0, 0), "keeping a capability")
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    kept = 1 << DAC_READ_SEARCH
    header, data = struct.pack("<Ii", CAPABILITY_VERSION, 0), struct.pack("<6I", kept, kept, 0, 0, 0, 0)
    _must(libc.capset(header, data), "dropping capabilities")


def _filter(libc: Any, code: bytes) -> None:
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    _must(libc.prctl(SET_SECCOMP, FILTER, header, 0, 0), "seccomp")


def _must(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise LabError(f"{what} failed: {errno.errorcode.get(number, number)}")
