"""Takes priority from the referee or limits its time.

must: harmless
"""


def before(model, bench):
    import resource

    for pid in (REFEREE, VICTIM):
        with suppress(OSError, ValueError):
            resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1))
            breach("limits of another process")
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, 19)
            breach("priority of another process")
