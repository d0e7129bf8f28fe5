"""Forks without end.

must: contained
budget: 0.5
"""


def before(model, bench):
    while True:
        with suppress(OSError):
            os.fork()
