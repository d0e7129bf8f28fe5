"""Writes into the source or the page that boxes were given, for the next box.

must: harmless
"""


def before(model, bench):
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            fd = os.open(f"/proc/self/fd/{name}", os.O_RDWR)
            if "memfd:train" in os.readlink(f"/proc/self/fd/{name}"):
                os.pwrite(fd, b"#", 0)
                breach("the source was changed")
