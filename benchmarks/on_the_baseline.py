"""Which number is the better belief of a baseline that is still the best: the book's, or the mean of its two runs.

`python benchmarks/on_the_baseline.py [--nights 2000]` plays every world of `council/simulate_world.py` and takes, after
3, 10, 30 and all rounds, the nights that have kept nothing so far. Prints how far both are from the truth (root mean
square, and mean; in σ, below 0 is too good). How to extend: another belief is a line in `main`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from council.simulate_night import play  # noqa: E402
from council.simulate_world import WORLDS, draw  # noqa: E402

SEED = 20261125
LEAST = 30
"""Nights below which a row says too little to be printed."""


def error(belief: NDArray[np.float64]) -> str:
    """How far a belief is from the truth, which is 0."""
    return f"{np.sqrt((belief**2).mean()):5.2f} ({belief.mean():+.2f})"


def main() -> None:
    """Print a line per world and moment."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--nights", type=int, default=2000)
    asked = options.parse_args()
    print(f"{'world':<14}{'rounds':>7}{'nights':>8}   booked          mean of its runs")
    for world in WORLDS:
        draws = draw(world, asked.nights, SEED)
        trace = play(world, draws, skills=False, trace=True).trace
        runs, still = draws.base.mean(axis=1), np.ones(asked.nights, dtype=bool)
        for done, now in enumerate(trace, 1):
            still &= now["baseline"] & ~now["kept"]
            if done in (3, 10, 30, world.rounds) and still.sum() >= LEAST:
                booked = now["b"][still] / world.sigma
                print(f"{world.name:<14}{done:>7}{still.sum():>8}   {error(booked)}   {error(runs[still])}")


if __name__ == "__main__":
    main()
