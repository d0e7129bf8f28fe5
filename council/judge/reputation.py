"""Reputation: who proposes better, whose forecasts are worth something, and how sure that is (docs/mechanism.md).

Everything comes from the posterior of the regression in `forecast.py`, which sees all proposals and not only those
that were picked; means of measured gains are bent by the picking and are not computed here. Intervals are 90 %
(± 1.645 posterior standard deviations). Skills are in σ per experiment against the council's mean. Pure; the only
chance is a seed that is given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from council.judge.forecast import Array, State

Z90 = 1.645
"""Half-width of a two-sided 90 % interval, in standard deviations."""
DRAWS = 20_000
MOST = 1e6
"""A difference that would take more settlements than this is none."""
BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Interval:
    """An estimate and its 90 % interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the sign is settled."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Skill:
    """A proposer: σ per experiment against the mean, the chance of being the best, ranks it may hold (1 is best)."""

    member: str
    proposals: int
    skill: Interval
    p_best: float
    rank_low: int
    rank_high: int


@dataclass(frozen=True)
class Separation:
    """The first two members, their difference, whether it is settled, and about how many settlements it still needs.

    `more` is 0 if settled and None if nothing says when (no settlement yet, or no difference).
    """

    first: str
    second: str
    difference: Interval
    more: int | None


@dataclass(frozen=True)
class Judges:
    """Weight per judge, in σ of expected r per SD of forecast; their sum; and the sum as a sceptic has it.

    The prior expects Σw = .5, so with few settlements `total` may lie above 0 on no evidence: at five judges who see
    nothing, after 100 experiments, on a quarter of nights (docs/simulation.md). The sceptic starts at Σw = 0 instead.
    """

    weights: dict[str, Interval]
    total: Interval
    sceptic: Interval

    @property
    def helping(self) -> bool:
        """Whether the interval of Σw lies above 0; while it does not, the judges are not helping."""
        return self.total.low > 0

    @property
    def shown(self) -> bool:
        """Whether even the sceptic's interval lies above 0: this much the measurements alone have shown."""
        return self.sceptic.low > 0


def proposers(state: State, seed: int, draws: int = DRAWS) -> list[Skill]:
    """Members that had a valid proposal, best first. e = (F̄ᵢ − F̄)ᵀβ with F̄ᵢ the mean phi of i's proposals."""
    names, contrast = _contrasts(state)
    if not names:
        return []
    found = [_interval(state, c) for c in contrast]
    best = p_best(state, contrast, seed, draws)
    ranks = rank_ranges(found)
    skills = [
        Skill(name, state.proposals[state.members.index(name)], e, float(p), *rank)
        for name, e, p, rank in zip(names, found, best, ranks, strict=True)
    ]
    return sorted(skills, key=lambda s: (-s.skill.value, s.member))


def _contrasts(state: State) -> tuple[list[str], Array]:
    """Members with a proposal (m of M), and F̄ᵢ − F̄ for each (m×K), F̄ their unweighted mean."""
    at = [i for i, n in enumerate(state.proposals) if n]
    counts = np.array([state.proposals[i] for i in at], dtype=np.float64)
    means = state.features[at] / counts[:, None]
    centre = means.mean(axis=0) if at else 0.0
    return [state.members[i] for i in at], means - centre


def _interval(state: State, contrast: Array) -> Interval:
    """contrastᵀβ ± 1.645 √(contrastᵀ P⁻¹ contrast)."""
    value, half = float(contrast @ state.mean), Z90 * math.sqrt(max(0.0, float(contrast @ state.cov @ contrast)))
    return Interval(value, value - half, value + half)


def p_best(state: State, contrast: Array, seed: int, draws: int = DRAWS) -> Array:
    """Per row of `contrast` (m×K) the share of `draws` of β from the posterior in which it is the largest."""
    normal = np.random.default_rng(seed).standard_normal((draws, len(state.weighted)))
    # P = LLᵀ; solving Lᵀx = n for standard normal n gives x with covariance P⁻¹
    beta = state.mean + np.linalg.solve(np.linalg.cholesky(state.precision).T, normal.T).T
    winners = np.argmax(beta @ contrast.T, axis=1)
    return np.bincount(winners, minlength=len(contrast)) / draws


def rank_ranges(found: Sequence[Interval]) -> list[tuple[int, int]]:
    """Per member the best and worst rank that its interval allows: only intervals that do not overlap are ranked."""
    return [(1 + sum(o.low > e.high for o in found), len(found) - sum(o.high < e.low for o in found)) for e in found]


def separation(state: State) -> Separation | None:
    """How far the first two proposers are apart; None with fewer than two.

    Their difference δ has posterior variance s²; the prior alone gave s₀² around 0. So n settlements brought the
    precision k = (1/s² − 1/s₀²)/n each, and without the prior's pull the difference were δ̂ = δ / (1 − s²/s₀²). If δ̂
    stays and precision keeps coming at that rate, the 90 % interval excludes 0 once δ̂(1 − x²/s₀²) ≥ 1.645 x, hence

        x = (√(1.645² + 4 δ̂²/s₀²) − 1.645) s₀² / (2 δ̂)        more = (1/x² − 1/s²) / k

    further settlements. An approximation: δ̂ is itself as uncertain as the answer is large, and the two were chosen
    because they lead; expect it to grow in the next nights rather than to shrink.
    """
    names, contrast = _contrasts(state)
    if len(names) < 2:
        return None
    values = contrast @ state.mean
    first, second = np.argsort(-values, kind="stable")[:2]
    c = contrast[first] - contrast[second]
    found = _interval(state, c)
    pair = (names[first], names[second], found)
    if found.excludes_zero:
        return Separation(*pair, 0)
    now, before = float(c @ state.cov @ c), float(c @ np.linalg.inv(state.prior) @ c)
    if not state.settled or found.value <= 0 or now >= before:
        return Separation(*pair, None)
    rate, free = (1 / now - 1 / before) / state.settled, found.value / (1 - now / before)
    needed = (math.sqrt(Z90**2 + 4 * free**2 / before) - Z90) * before / (2 * free)
    if needed**2 * rate * MOST < 1:
        return Separation(*pair, None)
    return Separation(*pair, max(1, math.ceil((1 / needed**2 - 1 / now) / rate)))


def judges(state: State) -> Judges:
    """Weights of all judges with 90 % intervals.

    The sceptic's view replaces the prior mean of w by 0 and keeps the prior's width; it has a meaning where nothing was
    carried over from another session.
    """
    each = np.eye(len(state.weighted))[1 : 1 + len(state.judges)]
    weights = {name: _interval(state, row) for name, row in zip(state.judges, each, strict=True)}
    neutral = np.linalg.solve(state.prior, state.prior_weighted)
    neutral[1 : 1 + len(state.judges)] = 0
    doubt = replace(state, weighted=state.weighted - state.prior_weighted + state.prior @ neutral)
    return Judges(weights, _interval(state, each.sum(axis=0)), _interval(doubt, each.sum(axis=0)))


@dataclass(frozen=True)
class Bin:
    """Forecasts between two bounds: how many, their mean, the share that came true with its 90 % interval (Wilson)."""

    low: float
    high: float
    n: int
    stated: float
    came: Interval


@dataclass(frozen=True)
class Calibration:
    """Forecasts against outcomes. `base` is the Brier score of always forecasting the base rate known at the time.

    Calibration, never "best judge": the base rate alone beats a good judge that is overconfident.
    """

    n: int
    brier: float
    base: float
    bins: tuple[Bin, ...]


def calibration(settled: Sequence[tuple[float, int, float]]) -> Calibration | None:
    """Of one judge's settled (forecast, outcome 0 or 1, base rate at that time); None without any."""
    if not settled:
        return None
    brier = sum((p - y) ** 2 for p, y, _ in settled) / len(settled)
    base = sum((b - y) ** 2 for _, y, b in settled) / len(settled)
    found = []
    for low, high in zip(BINS, BINS[1:], strict=False):
        inside = [(p, y) for p, y, _ in settled if low <= p < high or p == high == 1.0]
        if inside:
            stated = sum(p for p, _ in inside) / len(inside)
            found.append(Bin(low, high, len(inside), stated, wilson(sum(y for _, y in inside), len(inside))))
    return Calibration(len(settled), brier, base, tuple(found))


def wilson(hits: float, n: int) -> Interval:
    """A share with its 90 % score interval (Wilson, JASA 22, 1927), which stays inside 0..1 for any n > 0."""
    share, z2 = hits / n, Z90**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z90 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))
