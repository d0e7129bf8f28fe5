"""Tries to break out of a box, from inside it; what worked is printed as one JSON object.

Started by `sandbox_selftest.py` through the same door as every box. It knows where the canary file, the
listeners, the victim process and the held-out documents are, so that a promise is only believed after an
attempt to break it. Every attempt is a function of the spec that is true if it worked.
"""

import ctypes
import hashlib
import json
import os
import platform
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

Spec = dict[str, Any]
NOT_WALKED = ("/proc", "/sys", "/dev")
NUMBERS = {"x86_64": {"ptrace": 101, "unshare": 272}, "aarch64": {"ptrace": 117, "unshare": 97}}
IO_URING_SETUP, NEW_USER, ATTACH = 425, 0x10000000, 16


def main() -> None:
    """Print {attempt: worked}, leave a daemon behind, and stay until killed."""
    spec: Spec = json.loads(sys.argv[1])["probe"]
    found = {attempt.__name__: attempt(spec) for attempt in ATTEMPTS}
    found["daemon"] = daemon()
    print(json.dumps(found), flush=True)
    while True:
        signal.pause()


def read_canary(spec: Spec) -> bool:
    return any(_reads(path) for path in spec["canaries"])


def read_key(spec: Spec) -> bool:
    """The fake key, in any environment that can be read."""
    seen = [json.dumps(dict(os.environ)).encode()]
    with suppress(OSError):
        for name in os.listdir("/proc"):
            with suppress(OSError):
                seen.append(Path(f"/proc/{name}/environ").read_bytes())
    with suppress(OSError):
        seen.append(Path(f"/proc/{spec['victim']}/environ").read_bytes())
    return any(spec["key"].encode() in text for text in seen)


def connect(spec: Spec) -> bool:
    return _works(lambda: socket.create_connection(("127.0.0.1", spec["port"]), timeout=0.3).close())


def connect_unix(spec: Spec) -> bool:
    def attempt() -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(0.3)
            client.connect(b"\0" + spec["abstract"].encode())

    return _works(attempt)


def write_outside(spec: Spec) -> bool:
    """A change to any of the files that are not the box's; new files in folders are looked for from outside."""
    for folder in spec["folders"]:
        _opens(os.path.join(folder, spec["mark"]), os.O_CREAT | os.O_WRONLY)
    return any(_opens(path, os.O_WRONLY) for path in spec["files"]) or mark(spec)


def mark(spec: Spec) -> bool:
    """A change to a file without opening it for writing: mode, times, attributes, length."""
    path = spec["files"][0]
    attempts: tuple[Callable[[], object], ...] = (
        lambda: os.chmod(path, 0o777),
        lambda: os.utime(path),
        lambda: os.utime(path, (5, 5)),
        lambda: os.setxattr(path, "user.mark", b"1"),
        lambda: os.truncate(path, 1),
        lambda: os.close(os.open(path, os.O_RDONLY | os.O_TRUNC)),
    )
    return any(_works(attempt) for attempt in attempts)


def read_hidden(spec: Spec) -> bool:
    """A held-out document, by its name and content, anywhere in what can be listed or guessed."""
    hidden: dict[str, dict[int, str]] = {}
    for path, size, digest in spec["hidden"]:
        hidden.setdefault(os.path.basename(path), {})[size] = digest
        if any(_reads(file) for file in _forms(spec["hidden_root"], path)):
            return True
    for folder, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in NOT_WALKED]
        for name in files:
            if name in hidden and _is_hidden(os.path.join(folder, name), hidden[name]):
                return True
    return False


def _forms(root: str, path: str) -> tuple[str, str]:
    """A document as text and as bytecode."""
    folder, name = os.path.split(os.path.join(root, path))
    return os.path.join(root, path), f"{folder}/__pycache__/{name[:-3]}.{sys.implementation.cache_tag}.pyc"


def _is_hidden(path: str, sizes: dict[int, str]) -> bool:
    with suppress(OSError):
        digest = sizes.get(os.path.getsize(path))
        if digest:
            return hashlib.sha256(Path(path).read_bytes()).hexdigest() == digest
    return False


def signal_victim(spec: Spec) -> bool:
    return _works(lambda: os.kill(spec["victim"], 0))


def trace_victim(spec: Spec) -> bool:
    return _call("ptrace", ATTACH, spec["victim"], 0, 0)


def new_namespace(spec: Spec) -> bool:
    return _call("unshare", NEW_USER)


def io_uring(spec: Spec) -> bool:
    return ctypes.CDLL(None).syscall(IO_URING_SETUP, 1, ctypes.create_string_buffer(256)) >= 0


def core_dump(spec: Spec) -> bool:
    import resource

    return resource.getrlimit(resource.RLIMIT_CORE)[1] != 0


def many_processes(spec: Spec) -> bool:
    import resource

    return resource.getrlimit(resource.RLIMIT_NPROC)[1] == resource.RLIM_INFINITY


def fill_disk(spec: Spec) -> bool:
    """Whether the place for temporary files is as large as the disk."""
    with suppress(OSError):
        place = os.statvfs(os.environ.get("TMPDIR", "/tmp"))
        return place.f_blocks * place.f_frsize > 64 << 30 or spec["tier"] != "bwrap"
    return False


def daemon() -> bool:
    """Leave a process behind that has no parent; true if that could be done."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                signal.pause()
        os._exit(0)
    os.wait()
    return True


def _works(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, ValueError):
        return False
    return True


def _opens(path: str, flags: int) -> bool:
    return _works(lambda: os.close(os.open(path, flags)))


def _reads(path: str) -> bool:
    return _opens(path, os.O_RDONLY)


def _call(name: str, *arguments: int) -> bool:
    numbers = NUMBERS.get(platform.machine())
    return numbers is not None and ctypes.CDLL(None).syscall(numbers[name], *arguments) == 0


ATTEMPTS: tuple[Callable[[Spec], bool], ...] = (
    *(read_canary, read_key, connect, connect_unix, write_outside, read_hidden, signal_victim, trace_victim),
    *(new_namespace, io_uring, core_dump, many_processes, fill_disk),
)

if __name__ == "__main__":
    main()
