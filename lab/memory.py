"""Shared memory that its reader can trust: sealed files without a name.

Why sealed: the referee reads what a box wrote, and a file that can still change between the check and
the use is no evidence. On Linux these are memfds with all seals set. Elsewhere (macOS) they are
unlinked temporary files, which keep the lab working but promise nothing.
"""

import fcntl
import mmap
import os
import stat
import struct
import sys
import tempfile
from collections.abc import Iterable
from typing import Any

from lab.errors import Rejected

Buffer = Any  # whatever memoryview takes: bytes, bytearray, a contiguous numpy array
SEALABLE = sys.platform.startswith("linux")
F_SEAL_FUTURE_WRITE = 0x10  # Linux 5.1; not yet a name in Python's fcntl
if SEALABLE:
    ALL_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def anonymous(name: str) -> int:
    """The descriptor of a new, empty, unnamed file in memory."""
    if SEALABLE:
        return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    fd, path = tempfile.mkstemp(prefix="council-lab-")
    os.unlink(path)
    return fd


def sealed(name: str, parts: Iterable[Buffer]) -> int:
    """The descriptor of a file in memory that holds `parts` and can never change again."""
    fd = anonymous(name)
    try:
        for part in parts:
            view = memoryview(part)
            view = view.cast("B") if view.nbytes else memoryview(b"")  # an empty shape cannot be cast
            while view:
                view = view[os.write(fd, view) :]
        if SEALABLE:
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, ALL_SEALS)
    except BaseException:
        os.close(fd)
        raise
    return fd


def size_of(fd: int, at_most: int) -> int:
    """Bytes in the sealed file `fd`. Raises Rejected if it is larger, no plain file, or not sealed."""
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        raise Rejected("the box handed over something that is not memory")
    if SEALABLE:
        try:
            seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
        except OSError:
            seals = 0
        if seals & ALL_SEALS != ALL_SEALS:
            raise Rejected("the box handed over memory that it could still change")
    if info.st_size > at_most:
        raise Rejected(f"the box handed over {info.st_size} bytes, at most {at_most} are allowed")
    return info.st_size


def read(fd: int, size: int) -> bytearray:
    """A private copy of the first `size` bytes of `fd`. Raises Rejected if there are fewer."""
    copy = bytearray(size)
    read_into(fd, copy)
    return copy


def read_into(fd: int, into: Buffer) -> None:
    """Fill the writable bytes `into` from the start of `fd`. Raises Rejected if there are fewer, or it cannot be read.

    Memory that is used again: fresh memory costs as much as the copy.
    """
    view, offset = memoryview(into), 0
    while offset < len(view):
        try:
            count = os.preadv(fd, [view[offset:]], offset)
        except OSError as error:  # such as a descriptor that is open for writing alone
            raise Rejected("the box handed over memory that cannot be read") from error
        if count == 0:
            raise Rejected(f"the box handed over {offset} bytes where {len(view)} were announced")
        offset += count


def mapped(fd: int) -> memoryview:
    """The bytes of `fd`, mapped privately: writing to them changes nobody else's."""
    size = os.fstat(fd).st_size
    return memoryview(mmap.mmap(fd, size, access=mmap.ACCESS_COPY)) if size else memoryview(bytearray())


class ProgressPage:
    """One number that the referee writes and a box can only read."""

    def __init__(self) -> None:
        self.fd = anonymous("progress")
        os.ftruncate(self.fd, mmap.PAGESIZE)
        self._map = mmap.mmap(self.fd, mmap.PAGESIZE)
        if SEALABLE:
            seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | F_SEAL_FUTURE_WRITE
            fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, seals)

    def write(self, progress: float) -> None:
        """Publish the share of the budget that is used."""
        struct.pack_into("d", self._map, 0, progress)

    def close(self) -> None:
        """Give the page back; boxes that still map it keep the last value."""
        self._map.close()
        os.close(self.fd)


class ProgressReader:
    """The box's side of a ProgressPage."""

    def __init__(self, fd: int) -> None:
        self._map = mmap.mmap(fd, mmap.PAGESIZE, access=mmap.ACCESS_READ)

    def read(self) -> float:
        """The share of the budget that is used, 0 before the clock starts."""
        return struct.unpack_from("d", self._map, 0)[0]
