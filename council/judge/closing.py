"""The closing: fresh pairs of runs of baseline and incumbent, the only numbers that may be called a gain.

Trial numbers are bent by selection: what was kept is what looked good. So when a session stops, both codes run again on
seeds and a split (the vault) that nothing before has seen. g is the mean difference of the pairs and

    low = g − t(ν) · σ · √(2/n)            ν = 4 + Σ (runs of a code on a split − 1)

with σ re-pooled to include these runs (docs/mechanism.md, "Closing"). low > 0 confirms. `3+3` buys a second block of
pairs only if the first gave g > 0 unconfirmed, and pays for the second look with the 95 % quantile at both. Whoever
closes the same two codes again looks again: look k counts all their pairs so far and halves the chance of a false claim
k − 1 times, so that the chances of all looks together stay below twice that of the first. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from council.judge.book import PRIOR_WEIGHT, pooled_variance
from council.judge.student import quantile

AUTO_PAIRS, AUTO_FROM = 3, 20
"""`auto` closes with this many pairs once a session has this many experiments; a shorter one ends unconfirmed."""
ALPHA = 0.10
"""The chance of a false claim that the first look may take; two blocks take half of it each."""
HALVINGS = 30
"""No later look is stricter than this many halvings: 1 − α must still be told from 1."""


@dataclass(frozen=True)
class Plan:
    """Pairs per block, and the one-sided level of every look; decided before the first closing run."""

    blocks: tuple[int, ...]
    level: float


@dataclass(frozen=True)
class Closed:
    """What all pairs of these two codes say, in BPB. `again` asks for the plan's next block."""

    pairs: int
    gain: float
    low: float
    sigma: float
    freedom: int
    level: float
    confirmed: bool
    again: bool


def levels(look: int) -> tuple[float, float]:
    """One-sided levels of the k-th closing of the same two codes: with one block of pairs, and at each of several."""
    alpha = ALPHA / 2.0 ** min(look - 1, HALVINGS)
    return 1 - alpha, 1 - alpha / 2


def plan(setting: int | str, experiments: int, look: int = 1) -> Plan:
    """What `closing_pairs` means after that many experiments: `auto`, a number of pairs (obeyed), or `3+3`."""
    one, several = levels(look)
    if setting == "auto":
        return Plan((AUTO_PAIRS,) if experiments >= AUTO_FROM else (), one)
    parts = str(setting).split("+")
    if not all(part.isdecimal() for part in parts):
        raise ValueError(f"closing_pairs is auto, a number of pairs, or blocks like 3+3, not {setting!r}")
    blocks = tuple(int(part) for part in parts if int(part))
    return Plan(blocks, one if len(blocks) < 2 else several)


def freedom(runs: Iterable[Sequence[float]]) -> int:
    """Degrees of freedom of the pooled σ: the lab's figure counts for four, each group of n runs for n − 1."""
    return PRIOR_WEIGHT + sum(max(len(values) - 1, 0) for values in runs)


def close(
    baseline: Sequence[float],
    incumbent: Sequence[float],
    s0: float,
    earlier: Iterable[Sequence[float]],
    chosen: Plan,
    pooled: int = 0,
) -> Closed:
    """The result of the pairs run so far: BPBs of both codes in order of the pairs, all blocks together.

    The first `pooled` pairs come from earlier looks at the same two codes. `earlier` holds, per code and split, the
    other BPBs of the session that did not decide their keeping (baseline runs, replicates). The runs of the pairs are
    groups of their own, because another split has another mean.
    """
    n = len(baseline)
    if n == 0 or n != len(incumbent):
        raise ValueError(f"a closing needs as many runs of the baseline as of the incumbent, got {n}, {len(incumbent)}")
    groups = [*map(tuple, earlier), tuple(baseline), tuple(incumbent)]
    sigma, nu = math.sqrt(pooled_variance(s0, groups)), freedom(groups)
    gain = sum(b - i for b, i in zip(baseline, incumbent, strict=True)) / n
    low = gain - quantile(chosen.level, nu) * sigma * math.sqrt(2 / n)
    more = n - pooled < sum(chosen.blocks)
    return Closed(n, gain, low, sigma, nu, chosen.level, low > 0, more and gain > 0 and low <= 0)
