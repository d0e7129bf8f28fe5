"""Prints 30 MB, to fill the log or the disk.

must: harmless
"""


def before(model, bench):
    for _ in range(30):
        sys.stdout.write("x" * (1 << 20))
