"""The contract of an executor.

Duties: never import or run the edited code itself; return a Measurement for everything that can happen to an
experiment, with status `void` when the machine and not the code is at fault; leave no process behind when cancelled.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from council.types import Measurement

Progress = Callable[[Mapping[str, object]], None]
"""Called about once a second with what the lab reports: phase, seconds, step, loss, progress."""


@dataclass(frozen=True)
class Job:
    """One execution of a train.py. `budget` is in seconds, None for the lab's default on this device."""

    file: Path
    seed: int
    budget: float | None
    device: str = "auto"
    sandbox: str = "auto"
    split: str = "validation"
    is_baseline: bool = False  # the session's own code, from which others learn how exact the device is
    max_eval_seconds: float | None = None  # limit on scoring, None for the lab's default
    thorough_below: float | None = None  # a BPB below it is looked at more closely


@dataclass(frozen=True)
class Smoke:
    """Whether a train.py survives a few tiny steps; `reason` is for its author."""

    ok: bool
    reason: str


class Executor(ABC):
    """Runs jobs on some device. `sandbox` is the tier for smoke runs; the session sets it."""

    sandbox = "auto"

    @abstractmethod
    async def measure(self, job: Job, progress: Progress) -> Measurement:
        """Train and score the file; never raises for anything the file does."""

    @abstractmethod
    async def smoke(self, source: str) -> Smoke:
        """Try the source on tiny sizes. Raises MachineFault if that could not be tried."""
