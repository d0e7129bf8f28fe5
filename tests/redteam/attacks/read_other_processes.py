"""Reads memory, files and command lines of other processes.

must: harmless
"""


def before(model, bench):
    pids = {VICTIM, REFEREE} | ({os.getppid()} if os.getppid() > 1 else set())
    for pid in pids:
        for name in ("mem", "environ", "maps"):
            if pid != os.getpid() and readable(f"/proc/{pid}/{name}"):
                breach(f"/proc/{pid}/{name}")
