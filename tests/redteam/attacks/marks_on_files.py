"""Leaves marks on files that it may not write: mode, times, attributes, length.

must: harmless
"""


def before(model, bench):
    for mark in (
        lambda: os.chmod(CANARY, 0o777),
        lambda: os.utime(CANARY, (1, 1)),
        lambda: os.setxattr(CANARY, "user.redteam", b"x"),
        lambda: os.truncate(CANARY, 1),
    ):
        with suppress(OSError):
            mark()
            breach("a mark on a file of somebody else")
