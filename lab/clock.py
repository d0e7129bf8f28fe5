"""How much of its budget a box has used.

Why not wall time on a CPU: another program on the machine would then cost an experiment its steps. A
box is charged the CPU time of its whole process tree, children included, alive or dead. On a GPU the
machine is the experiment's own, and wall time is what one pays for.

A clock has a `name` for the conditions, is told when the box is `ready` and when it has `started`, and
answers `charge()`: budget seconds used so far, never less than before.
"""

import time
from typing import Protocol

from lab.process import Tree


class Clock(Protocol):
    """What the referee asks of a clock."""

    name: str

    def ready(self) -> None:
        """The box has imported torch and is about to run edited code."""

    def started(self) -> None:
        """The box has been given the training tokens."""

    def charge(self) -> float:
        """Budget seconds used so far; 0 before `ready`."""


class CpuClock:
    """CPU-seconds of a process tree, from `ready` on."""

    name = "cpu-seconds"

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._seen: dict[tuple[int, str], float] = {}
        self._before: float | None = None
        self._charge = 0.0

    def ready(self) -> None:
        self._before = self._used()

    def started(self) -> None:
        pass

    def charge(self) -> float:
        if self._before is not None:
            self._charge = max(self._charge, self._used() - self._before)
        return self._charge

    def _used(self) -> float:
        """The larger of two counts: one misses children that nobody waited for, one the very short-lived."""
        members = self._tree.members()
        for process in members:
            self._seen[process.pid, process.started] = process.own_seconds
        return max(sum(p.own_seconds + p.reaped_seconds for p in members), sum(self._seen.values()))


class WallClock:
    """Wall seconds from `start`; what comes before it is free, but not for longer than `free` seconds."""

    name = "wall-seconds"

    def __init__(self, free: float) -> None:
        self._free = free
        self._from: float | None = None

    def ready(self) -> None:
        self._from = time.monotonic() + self._free

    def started(self) -> None:
        if self._from is not None:
            self._from = min(self._from, time.monotonic())

    def charge(self) -> float:
        return 0.0 if self._from is None else max(0.0, time.monotonic() - self._from)
