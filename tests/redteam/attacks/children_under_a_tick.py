"""Works in children that live for less than a tick of the kernel's clock, against the pacemaker.

must: timeout
size: full
"""


def before(model, bench):
    while True:
        if os.fork() == 0:
            until = time.process_time() + 0.006
            while time.process_time() < until:
                pass
            os._exit(0)
        os.wait()
