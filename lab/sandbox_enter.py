"""The first thing that runs in a box: gives up rights and sets limits, then becomes `lab.box`.

Why inside and not before: a limit on processes counts those of a user in a user namespace, so it has to be
set where the box lives; and root can only be given away once the mounts are made. Nothing here can be undone
by what runs later: rights do not come back, and hard limits can only be lowered.
"""

import ctypes
import json
import os
import resource
import sys
from importlib.machinery import PathFinder
from typing import Any

PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38


def main() -> None:
    """Close the doors that the first argument names, then go on as the box."""
    spec: dict[str, Any] = json.loads(sys.argv[1])
    wanted = spec.pop("enter")
    sys.argv[1] = json.dumps(spec)
    limits(wanted)
    libc = ctypes.CDLL(None, use_errno=True)
    if wanted["tier"] == "landlock":
        from lab.sandbox_landlock import enter

        enter(libc, wanted)
        sys.meta_path = [Readable if finder is PathFinder else finder for finder in sys.meta_path]
    else:
        become(wanted["uid"])
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # else /proc/self belongs to root after a change of user
    if spec["role"] == "selftest":
        from lab.sandbox_probe import main as go_on
    else:
        from lab.box import main as go_on
    go_on()


class Readable(PathFinder):
    """A package that may not be read counts as one that is not installed: torch tries several and does without."""

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> Any:
        """The module; one whose file exists and cannot be opened is looked for in the other folders."""
        found = super().find_spec(name, path, target)
        if path is None and found is not None and found.has_location and found.origin:
            try:
                open(found.origin, "rb").close()
            except PermissionError:
                return super().find_spec(name, [at for at in sys.path if not found.origin.startswith(at)], target)
        return found


def limits(wanted: dict[str, Any]) -> None:
    """No core dump, few processes, no endless file; first in line when memory runs out."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, wanted["file_bytes"])
    _lower(resource.RLIMIT_NOFILE, 4096)
    if wanted["memory_bytes"]:
        _lower(resource.RLIMIT_AS, wanted["memory_bytes"])
    if wanted["processes"]:
        _lower(resource.RLIMIT_NPROC, wanted["processes"])
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass  # a courtesy to the machine, not a guarantee


def become(uid: int) -> None:
    """Give root away, if this is root."""
    if os.getuid() == 0 and uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def _lower(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))


if __name__ == "__main__":
    main()
