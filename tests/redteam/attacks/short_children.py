"""Works in a thousand children, each too short to be seen.

must: timeout
budget: 0.5
"""


def before(model, bench):
    while True:
        if (pid := os.fork()) == 0:
            sum(range(300_000))
            os._exit(0)
        os.waitpid(pid, 0)
