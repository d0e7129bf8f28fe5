"""Stops or kills the referee and others.

must: harmless
"""


def before(model, bench):
    import signal

    for pid in (REFEREE, VICTIM):
        with suppress(OSError):
            os.kill(pid, 0)
            os.kill(pid, signal.SIGKILL)
            breach(f"signalled {pid}")
