"""Ways to pick in the simulated world: the rules of `council/judge` over arrays of nights, and the pick of anyone.

`tests/judge/test_laws_simulate.py` compares each with the pure function of its name. Another one: a name in PICKS and a
branch in `choose`. Needs numpy; import when used.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from council.simulate_world import Array

PICKS = ("forecast", "borda", "schulze", "random")


def choose(pick: str, scores: Array, signal: Array, tie: Array) -> NDArray[np.int64]:
    """The pick of each night (N) by one of PICKS; `scores` (N×M) are those of the rule `forecast`.

    Judges rank others' proposals by their `signal` (N×J×M, judge before proposal); `tie` (N×M) settles equal scores.
    """
    if pick == "random":
        return tie.argmax(axis=1)
    if pick == "borda":
        scores = _borda(signal)
    if pick == "schulze":
        scores = _schulze(signal)
    return (scores + 1e-9 * tie).argmax(axis=1)


def _borda(signal: Array) -> Array:
    """How many others' proposals each one beats, over all judges (N×M)."""
    own = np.eye(signal.shape[1], dtype=bool)
    beaten = np.where(own, -np.inf, signal).argsort(axis=2).argsort(axis=2) - 1  # own is lowest: only others count
    return np.where(own, 0, beaten).sum(axis=1).astype(np.float64)


def _schulze(signal: Array) -> Array:
    """Minus how many proposals beat each one by the strongest path (N×M).

    Every pair is ranked by all judges but its two authors, so support alone orders links by strength.
    """
    members = np.arange(signal.shape[1])
    above = signal[:, :, :, None] > signal[:, :, None, :]
    above[:, members, members, :] = False
    above[:, members, :, members] = False
    paths = above.sum(axis=1)
    for via in members:
        paths = np.maximum(paths, np.minimum(paths[:, :, via, None], paths[:, None, via, :]))
    return -(paths.transpose(0, 2, 1) > paths).sum(axis=2).astype(np.float64)
