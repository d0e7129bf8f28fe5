"""What is to be measured, and how: the one thing that the parts of the referee share.

To add an option, give it a default here that changes nothing, and a flag in `__main__.py`.
"""

from dataclasses import dataclass

from lab.causality import EDGES_BEFORE_KEEP
from lab.settings import SIZES, Sizes


@dataclass(frozen=True)
class Request:
    """What is to be measured, and how."""

    source: bytes  # of train.py
    device: str = "cpu"
    budget: float | None = None  # seconds; None is the device's default
    seed: int = 0
    split: str = "validation"
    sandbox: str = "none"
    corpus: str = "auto"
    max_eval_seconds: float | None = None
    steps: int = 0  # a smoke run ends after this many steps; 0 is a measurement
    wall_seconds: float = float("inf")
    clock: str = "auto"  # or cpu-seconds, on a CPU
    is_baseline: bool = False  # an honest train.py: it may say how exactly this device repeats itself
    thorough_below: float | None = None  # BPB below which more boxes look for a glance ahead
    thorough_edges: int = EDGES_BEFORE_KEEP  # how many places they look at, the first two boxes included

    @property
    def sizes(self) -> Sizes:
        return SIZES[self.device]

    @property
    def seconds(self) -> float:
        """The budget."""
        return self.sizes.budget if self.budget is None else self.budget
