"""Writes into the memory that files are kept in, for the next experiment to read.

must: harmless
"""


def before(model, bench):
    fd = os.open(os.__file__, os.O_RDONLY)
    with suppress(OSError):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        breach("a file can be dropped from memory")
    with suppress(BlockingIOError, OSError):
        os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT)
        breach("it can be asked what lies in memory")
