"""Opens a socket of any family.

must: harmless
"""


def before(model, bench):
    import socket

    for family in range(46):
        for kind in (1, 2, 3, 5):
            with suppress(OSError):
                socket.socket(family, kind, 0).close()
                breach(f"family {family}")
