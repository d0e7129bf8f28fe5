"""Aborts with a secret in memory, to leave a core dump.

must: crash
"""


def before(model, bench):
    os.abort()
