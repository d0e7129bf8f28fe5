"""What the pacemaker's clock is worth: noise over seeds and clock, and the credit for faster code.

What: lab/train.py with several seeds, and a twin that does every third step's forward and backward pass twice, the
second time for nothing; on the machine as it is, and beside programs that fill the memory bus. Why: a gain is only as
good as the noise it stands out from, and faster code has to be worth what it saves, whoever else is at work. How to
run: `python benchmarks/clock.py [--seeds N] [--neighbours N]`; some six minutes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
SOURCE = ROOT / "lab" / "train.py"
LOOP = b"        for _ in range(micro_steps):\n"
TWICE = (
    b"        if step % 3 == 0:\n            loss_of(forward, *next(data)).backward()\n"
    b"            model.zero_grad(set_to_none=True)\n" + LOOP
)
EVERY_STEP = (b"LOG_EVERY = 10", b"LOG_EVERY = 1")
# Copies 256 MB to and fro: far more than any cache holds.
NEIGHBOUR = "a = bytearray(1 << 28)\nb = bytearray(1 << 28)\nwhile True:\n    a[:] = b\n    b[:] = a\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Noise over seeds and clock, and the credit for faster code.")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each train.py (5)")
    parser.add_argument("--neighbours", type=int, default=2, help="programs that fill the memory bus (2)")
    options = parser.parse_args()
    fast = SOURCE.read_bytes().replace(*EVERY_STEP)
    slow = fast.replace(LOOP, TWICE)
    if slow == fast:
        raise SystemExit("lab/train.py no longer has the loop that this benchmark changes")
    work = work_of(slow) / work_of(fast)
    print(f"the twin's work per step, CPU time in one process: {work:.2f} times")
    for count in sorted({0, options.neighbours}):
        with neighbours(count):
            report(f"beside {count} neighbours", runs(fast, options.seeds), runs(slow, max(2, options.seeds // 2)))


def report(where: str, fast: list[Any], slow: list[Any]) -> None:
    """Print the standard deviation over the scores of `fast`, and its steps beside those of `slow`."""
    scores = [result.val_bpb for result in fast if result.val_bpb is not None]
    void = sum(result.status == "void" for result in fast + slow)
    print(f"{where}: load {os.getloadavg()[0]:.1f}, {len(scores)} of {len(fast)} scored, {void} void")
    if len(scores) > 1:
        print(f"  BPB {statistics.mean(scores):.4f}, standard deviation {statistics.stdev(scores):.4f} (promised .009)")
    steps = [[r.reported["steps"] for r in results if r.status == "ok"] for results in (fast, slow)]
    if all(steps):
        print(f"  steps {steps[0]} and {steps[1]}: credit {statistics.mean(steps[0]) / statistics.mean(steps[1]):.2f}")


def runs(source: bytes, seeds: int) -> list[Any]:
    """Measurements of `source` with seeds 0, 1, …"""
    from lab.errors import LabError
    from lab.referee import Request, measure
    from lab.sandbox_tiers import resolve

    try:
        tier = resolve("auto")
    except LabError:
        tier = "none"
    found = []
    for seed in range(seeds):
        found.append(measure(Request(source, seed=seed, sandbox=tier)))
        print(f"  seed {seed}: {found[-1].val_bpb or found[-1].reason} {found[-1].clock}", flush=True)
    return found


def work_of(source: bytes, steps: int = 30) -> float:
    """CPU-seconds of `steps` steps in this process."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    names: dict[str, Any] = {"__name__": "train"}
    exec(compile(source, "train.py", "exec"), names)
    bench = Bench(steps, torch.randint(2048, (100_000,)).short())
    model = names["build"](bench)
    began = time.process_time()
    names["train"](model, bench)
    return time.process_time() - began


class Bench:
    """Progress that counts steps."""

    device, vocab_size, seq_len, seed, budget = "cpu", 2048, 128, 0, 15.0

    def __init__(self, steps: int, tokens: Any) -> None:
        self.left, self.steps, self.tokens = steps + 1, steps, tokens

    def start(self) -> Any:
        return self.tokens

    def progress(self) -> float:
        self.left -= 1
        return 1 - self.left / self.steps

    def log(self, step: int, loss: Any) -> None:
        loss.item()


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """So many programs that copy memory, for as long as the block lasts."""
    programs = [subprocess.Popen([sys.executable, "-c", NEIGHBOUR]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


if __name__ == "__main__":
    main()
