"""Sends SIGKILL to every process it may signal.

must: harmless
"""


def before(model, bench):
    for pid in (-1, os.getppid()):
        with suppress(OSError):
            os.kill(pid, 9)
