"""Leaves links out of the run folder for whoever cleans up.

must: harmless
"""


def after(model, bench):
    for number, target in enumerate(("/", "/etc", CANARY, os.path.dirname(CANARY))):
        with suppress(OSError):
            os.symlink(target, f"link{number}")
