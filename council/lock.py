"""One `council run` at a time: a lock that the kernel frees when its holder dies.

Why flock: a file that merely exists outlives a kill and then blocks the next night; a lock on an open file cannot. The
pid and start time inside are for people and for `council stop`. The file stays when the lock is gone: removing it would
let two runs lock two files of the same name. How to use: `with hold(path): …`, and `holder(path)` from elsewhere.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from council.errors import AlreadyRunning, StoreError

_FIRST_LINE = re.compile(rb"pid (\d{1,10})\n")
_PATIENCE = 0.5


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock for the length of a block; AlreadyRunning when another process holds it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # O_CLOEXEC: a process of the lab that outlives us must not keep the lock
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(f"The lock {path} cannot be opened: {error.strerror or error}") from error
    try:
        _take(handle, path)
        _sign(handle, path)
        try:
            yield
        finally:
            try:
                os.ftruncate(handle, 0)
            except OSError:
                pass
    finally:
        os.close(handle)


def holder(path: Path) -> int | None:
    """The pid of the process that holds the lock, or None: a file left by a dead process is not a lock."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe in its place would wait for ever
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"The lock {path} cannot be read: {error.strerror or error}") from error
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise StoreError(f"The lock {path} is not a file.", hint="Look at what stands there, and remove it.")
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid(handle)
    finally:
        os.close(handle)
    return None


def _take(handle: int, path: Path) -> None:
    """Lock the file, with patience enough for someone who only asks who holds it."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= until:
                break
        except OSError as error:
            raise StoreError(f"{path} cannot be locked here: {error.strerror or error}") from error
        time.sleep(0.02)
    pid = _pid(handle)
    who = f"process {pid}" if pid else "another process"
    raise AlreadyRunning(
        f"A council is already running here: {who} holds {path}.",
        hint="Watch it with `council status`, end it with `council stop`, or wait until it is done.",
    )


def _sign(handle: int, path: Path) -> None:
    text = f"pid {os.getpid()}\nstarted {time.strftime('%Y-%m-%dT%H:%M:%S%z')}\n"
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, text.encode(), 0)
    except OSError as error:
        raise StoreError(f"The lock {path} cannot be written: {error.strerror or error}") from error


def _pid(handle: int) -> int | None:
    """The pid in the file; a holder that has not signed yet is given a moment."""
    for _ in range(10):
        found = _FIRST_LINE.match(os.pread(handle, 100, 0))
        if found:
            return int(found[1])
        time.sleep(0.02)
    return None
