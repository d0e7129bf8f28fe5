"""Raises the limits that it was given.

must: harmless
"""


def before(model, bench):
    import resource

    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE):
        _, hard = resource.getrlimit(limit)
        if hard == resource.RLIM_INFINITY:
            breach(f"no limit {limit}")
        with suppress(OSError, ValueError):
            resource.setrlimit(limit, (hard + 1, hard + 1))
            breach(f"limit {limit} was raised")
