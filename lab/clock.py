"""How much of its budget a box has used.

Why not wall time on a CPU: another program on the machine would then cost an experiment its steps. A
box is charged the CPU time of its whole process tree, children included, alive or dead, counted in steps of
the pacemaker, since a CPU-second beside a busy neighbour is worth less. On a GPU the machine is the
experiment's own, and wall time is what one pays for.

A clock has a `name` for the conditions, is told when the box is `ready` and when it has `started`, and
answers `charge()`: budget seconds used so far, never less than before. `stretch` is how many seconds of this
machine, now, one budget second is.
"""

import os
import signal
import time
from collections.abc import Callable
from typing import Any, Protocol

from lab.errors import Ended
from lab.process import Tree

UNIT = 0.075  # budget seconds per step of the pacemaker: the default budget of 15 s is 200 units
SAMPLE_SECONDS = 1.0  # CPU-seconds of the box between two looks at the pacemaker
SAMPLE_STEPS = 2  # the smaller of so many steps is the unit
START_STEPS = 8  # at the start: the bounds below rest on this unit, so one slow step must not move it
LOWEST, HIGHEST = 0.9, 1.6  # a unit counts as no less and no more than these times the one at the start
BUSY_MEAN, BUSY_SHARE, BUSY_SAMPLES = 1.4, 0.2, 5  # mean unit, share of clamped samples; from so many samples on
STOPPED_TICKS = 0.025  # CPU-seconds by which the accounting of a stopped tree may still move
BUSY = "the machine was too busy to measure: repeat when it is quieter"
NOT_STOPPED = "the box went on while it was stopped, so its time could not be counted"


class Clock(Protocol):
    """What the referee asks of a clock."""

    name: str

    @property
    def stretch(self) -> float:
        """Seconds of this machine in a budget second."""

    @property
    def patience(self) -> float:
        """Wall seconds that a budget second takes here, as far as the machine is to blame."""

    def ready(self) -> None:
        """The box has imported torch and waits to run edited code."""

    def started(self) -> None:
        """The box has been given the training tokens."""

    def charge(self) -> float:
        """Budget seconds used so far; 0 before `ready`. Raises Ended if time cannot be told."""

    def cpu_seconds(self) -> float | None:
        """CPU-seconds of the box so far, None for a clock that counts something else."""

    def finish(self) -> None:
        """Training is over. Raises Ended if its time was worth nothing."""

    def report(self) -> dict[str, Any]:
        """What the clock saw, for the measurement."""


class CpuClock:
    """CPU-seconds of a process tree, from `ready` on."""

    name = "cpu-seconds"
    stretch = patience = 1.0

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

    def cpu_seconds(self) -> float:
        return self.charge()

    def finish(self) -> None:
        pass

    def report(self) -> dict[str, Any]:
        return {"cpu_seconds": round(self._charge, 2)}

    def _used(self) -> float:
        """The larger of two counts: one misses children that nobody waited for, one the very short-lived."""
        members = self._tree.members()
        for process in members:
            self._seen[process.pid, process.started] = process.own_seconds
        return max(sum(p.own_seconds + p.reaped_seconds for p in members), sum(self._seen.values()))


class PacemakerClock:
    """CPU time of a process tree in steps of a pacemaker.

    After every CPU-second the tree is stopped and the pacemaker makes two steps; what the tree has used since is
    divided by the smaller. The sample is taken while nothing of the experiment runs, so it cannot slow it down.
    """

    name = "pacemaker"

    def __init__(self, cpu: CpuClock, steps: Callable[[int], list[float]], hold: Callable[[bool], None]) -> None:
        """`steps(n)` gives the CPU-seconds of n steps of the pacemaker; `hold` stops the tree or lets it go."""
        self._cpu, self._steps, self._hold = cpu, steps, hold
        self._start = self._unit = UNIT  # CPU-seconds of a step
        self._samples: list[float] = []
        self._clamped = 0
        self._units = self._counted = self._sampled = 0.0  # units; CPU-seconds in them; CPU-seconds at the last look
        self._slowest = UNIT  # wall seconds of a step, at the worst look
        self._is_ready = False

    @property
    def stretch(self) -> float:
        return self._start / UNIT

    @property
    def patience(self) -> float:
        return max(self._start, self._slowest) / UNIT

    def ready(self) -> None:
        self._steps(1)  # waits for the warm-up
        self._start = self._unit = self._look(START_STEPS)
        self._cpu.ready()
        self._is_ready = True

    def started(self) -> None:
        pass

    def charge(self) -> float:
        if not self._is_ready:
            return 0.0
        used = self._cpu.charge()
        if used - self._sampled >= SAMPLE_SECONDS:
            self._sample()
            self._sampled = used = self._cpu.charge()
        self._units += (used - self._counted) / self._unit
        self._counted = used
        return self._units * UNIT

    def cpu_seconds(self) -> float:
        return self._cpu.charge()

    def finish(self) -> None:
        if len(self._samples) < BUSY_SAMPLES:
            return
        mean = sum(self._samples) / len(self._samples)
        if mean > BUSY_MEAN * self._start or self._clamped > BUSY_SHARE * len(self._samples):
            raise Ended("void", BUSY)

    def report(self) -> dict[str, Any]:
        mean = sum(self._samples) / len(self._samples) if self._samples else self._start
        return {
            "units": round(self._units, 2),
            "u_ms": round(1000 * self._start, 2),
            "mean_u_ms": round(1000 * mean, 2),
            "samples": len(self._samples),
            "clamped": self._clamped,
        }

    def _sample(self) -> None:
        """Look at the pacemaker while the tree stands still."""
        self._hold(True)
        try:
            before = self._cpu.charge()
            unit = self._look()
            if self._cpu.charge() - before > STOPPED_TICKS:
                raise Ended("void", NOT_STOPPED)
        finally:
            self._hold(False)
        self._unit = min(max(unit, LOWEST * self._start), HIGHEST * self._start)
        self._clamped += self._unit != unit
        self._samples.append(unit)

    def _look(self, count: int = SAMPLE_STEPS) -> float:
        began = time.monotonic()
        unit = min(self._steps(count))
        self._slowest = max(self._slowest, (time.monotonic() - began) / count)
        return unit


class WallClock:
    """Wall seconds from `start`; what comes before it is free, but not for longer than `free` seconds."""

    name = "wall-seconds"
    stretch = patience = 1.0

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

    def cpu_seconds(self) -> None:
        return None

    def finish(self) -> None:
        pass

    def report(self) -> dict[str, Any]:
        return {"wall_seconds": round(self.charge(), 2)}


def hold(tree: Tree, still: bool) -> None:
    """Stop every process of `tree` and wait until all stand still, or let all go on. Raises Ended if one does not."""
    number = signal.SIGSTOP if still else signal.SIGCONT
    deadline = time.monotonic() + 5.0
    while True:
        members = [process for process in tree.members() if process.state != "Z"]
        moving = [process for process in members if process.state not in "Tt"]
        for process in moving if still else members:
            try:
                os.kill(process.pid, number)
            except ProcessLookupError:
                pass
        if not still or not moving:
            return
        if time.monotonic() > deadline:
            raise Ended("void", NOT_STOPPED)
        time.sleep(0.001)
