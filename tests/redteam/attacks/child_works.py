"""Lets a child process work and sleeps itself.

must: timeout
budget: 0.5
"""


def before(model, bench):
    if os.fork() == 0:
        while True:
            pass
    time.sleep(60)
