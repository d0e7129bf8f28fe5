"""Writes into the page on which the referee publishes progress.

must: harmless
"""


def before(model, bench):
    import mmap

    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError, ValueError):
            if "progress" in os.readlink(f"/proc/self/fd/{name}"):
                page = mmap.mmap(int(name), 4096)
                page[:8] = bytes(8)
                breach("the progress page was written")
