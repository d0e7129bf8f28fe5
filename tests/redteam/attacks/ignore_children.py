"""Ignores its children, so that nobody waits for them and their time is not counted.

must: harmless
"""


def before(model, bench):
    import signal

    for way in (signal.SIG_IGN, lambda number, frame: None):
        with suppress(OSError):
            signal.signal(signal.SIGCHLD, way)
            breach("children can be ignored")
