"""Lets a process work that left the tree by a double fork.

must: timeout
budget: 0.5
"""


def before(model, bench):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                pass
        os._exit(0)
    os.wait()
    time.sleep(60)
