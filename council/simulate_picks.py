"""Ways to pick in the simulated world: the rules of `council/judge` over arrays of nights, and the pick of anyone.

`tests/judge/test_laws_simulate.py` compares each with the pure function of its name. Any other rule that can be named
is called night by night, which is slower; to spare it that: a name in PICKS and a branch in `choose`. Needs numpy;
import when used.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from council import judge
from council.simulate_world import Array
from council.types import Ballot

PICKS = ("forecast", "borda", "schulze", "random")


def choose(pick: str, scores: Array, signal: Array, stated: Array, tie: Array) -> NDArray[np.int64]:
    """The pick of each night (N) by one of PICKS or a rule; `scores` (N×M) are those of the rule `forecast`.

    Judges rank others' proposals by their `signal` and forecast what is `stated` (N×J×M, judge before proposal); `tie`
    (N×M) settles equal scores.
    """
    if pick == "random":
        return tie.argmax(axis=1)
    if pick == "borda":
        scores = _borda(signal)
    if pick == "schulze":
        scores = _schulze(signal)
    if pick not in PICKS:
        scores = _counted(judge.rule(pick), signal, stated)
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


def _counted(tally: judge.Tally, signal: Array, stated: Array) -> Array:
    """The scores of a rule, night by night (N×M)."""
    nights, judges, members = signal.shape
    slates = {f"judge{j}": {str(p): p for p in range(members) if p != j} for j in range(judges)}
    ranked = np.where(np.eye(members, dtype=bool), np.inf, -signal).argsort(axis=2)[:, :, :-1]  # own would be last
    scores = np.zeros((nights, members))
    for n in range(nights):
        ballots = {
            f"judge{j}": Ballot(tuple(map(str, ranked[n, j])), {str(p): float(stated[n, j, p]) for p in ranked[n, j]})
            for j in range(judges)
        }
        scores[n] = list(judge.scores(tally, slates, ballots, range(members)).values())
    return scores
