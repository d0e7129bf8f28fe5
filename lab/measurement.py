"""What one measurement says: the object that `python -m lab measure --json` prints.

Why a table of its own: others read it from another process, so its keys and their order are an
interface. A key never changes its meaning; a new one is added at the end.
"""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass
class Measurement:
    """One execution of one train.py. Times are wall seconds."""

    status: str  # ok, crash, timeout, oom, rejected, void
    val_bpb: float | None = None  # bits per byte on `split`; None unless ok
    reason: str | None = None  # one sentence; None if ok
    charged: float | None = None  # share of the budget that was used
    train_seconds: float | None = None  # from the moment the box was ready to its weights
    startup_seconds: float | None = None  # until the box was ready
    eval_seconds: float | None = None  # from the weights to the score
    total_seconds: float | None = None
    params: int | None = None  # numbers in the state dict
    peak_memory_mb: float | None = None  # of the train box; of the GPU on cuda
    device: str | None = None  # cpu, cuda, mps
    sandbox: str | None = None  # tier
    seed: int | None = None
    split: str | None = None  # validation or vault
    s0: float | None = None  # standard deviation of BPB that is assumed on such a device
    fingerprint: dict[str, Any] | None = None  # corpus, splits, tokenizer, V, T
    conditions: dict[str, Any] | None = None  # machine, threads, precision, torch, clock, budget, sandbox
    sha256: str | None = None  # of the source
    causality: dict[str, Any] | None = None  # edges, controls, tolerance, max_difference (nats per position)
    reported: dict[str, Any] = field(default_factory=dict)  # what train.py says of itself, untrusted
    has_text: bool = False  # had the train box been given the training text when it ended?
    log_tail: str = ""  # the end of what the train box printed, untrusted
    clock: dict[str, Any] | None = None  # what the clock saw: units, u_ms, mean_u_ms, samples, clamped
    scoring: dict[str, Any] | None = None  # CPU-seconds: before_start, and per score box first_answer and batch

    def to_json(self) -> str:
        """One line of standard JSON."""
        return json.dumps(asdict(self), allow_nan=False)

    def summary(self) -> str:
        """A few lines for a person."""
        if self.status == "ok":
            head = f"{self.val_bpb:.5f} bits per byte on {self.split} (lower is better, s0 {self.s0})"
        else:
            head = f"{self.status}: {self.reason}"
        return (
            f"{head}\n{seconds(self.total_seconds)} in all: start-up {seconds(self.startup_seconds)}, "
            f"training {seconds(self.train_seconds)}, scoring {seconds(self.eval_seconds)}\n"
            f"device {self.device}, sandbox {self.sandbox}, seed {self.seed}, "
            f"{self.params if self.params is not None else '?'} parameters"
        )


KEYS = tuple(item.name for item in fields(Measurement))


def seconds(value: float | None) -> str:
    """A time for a person."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.1f} s"


def printable(text: str) -> str:
    """Text from a box without control characters other than line breaks."""
    return "".join(c if c == "\n" or c.isprintable() else " " if c == "\t" else "" for c in text)
