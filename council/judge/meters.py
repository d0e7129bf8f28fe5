"""Bias meters: what in the votes comes from the display, from liking one's own, and from thinking alike.

Each meter is a mean over clusters (a slate, a judge's round, a round) with a 90 % t interval, so that forecasts made
together count once. Forecasts are compared as logits, clipped as in `forecast.py`. Pure.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from council.judge.forecast import Array, Forecast, Round, logit
from council.judge.reputation import Interval
from council.judge.student import quantile


@dataclass(frozen=True)
class Meter:
    """A mean over `n` clusters with its 90 % interval; no interval where fewer than two clusters say anything."""

    n: int
    value: float | None
    interval: Interval | None

    @property
    def shown(self) -> bool:
        """Whether the interval excludes 0."""
        return self.interval is not None and self.interval.excludes_zero


@dataclass(frozen=True)
class Position:
    """How much a place on the slate moves a forecast, in logits. `first`: the top entry against the rest of its slate;
    `slope`: per place further down."""

    first: Meter
    slope: Meter


@dataclass(frozen=True)
class Independence:
    """J judges are worth `effective` independent ones; `correlation` is the mean between two judges' residuals."""

    judges: int
    proposals: int
    correlation: Interval | None
    effective: Interval | None


def mean_of(values: Sequence[float]) -> Meter:
    """Mean with its 90 % t interval."""
    n = len(values)
    if n == 0:
        return Meter(0, None, None)
    mean = sum(values) / n
    if n == 1:
        return Meter(1, mean, None)
    sd = math.sqrt(sum((x - mean) ** 2 for x in values) / (n - 1))
    half = quantile(0.95, n - 1) * sd / math.sqrt(n)
    return Meter(n, mean, Interval(mean, mean - half, mean + half))


def position(slates: Iterable[Sequence[float]]) -> Position:
    """`slates` holds, per slate that was answered, the forecasts in display order. The order was drawn by lot, so any
    mean effect of a place is the judge's; slates with one entry say nothing."""
    first, slope = [], []
    for shown in slates:
        if len(shown) > 1:
            logits = np.array([logit(p) for p in shown])
            place = np.arange(len(logits)) - (len(logits) - 1) / 2
            first.append(float(logits[0] - logits[1:].mean()))
            slope.append(float(place @ logits / (place @ place)))
    return Position(mean_of(first), mean_of(slope))


def self_preference(rounds: Iterable[Round]) -> dict[str, Meter]:
    """Per judge, how much higher (in logits) it puts its own proposal than the other judges do, beyond how much higher
    it puts everything: both differences are taken within the round, which takes out optimism and quality."""
    found: dict[str, list[float]] = defaultdict(list)
    for one in rounds:
        table: dict[int, dict[str, float]] = defaultdict(dict)
        own: dict[int, str] = {}
        for f in one.forecasts:
            table[f.proposal][f.judge] = logit(f.p)
            if f.own:
                own[f.proposal] = f.judge
        for proposal, judge in own.items():
            mine = _above(table[proposal], judge, None)
            gaps = [_above(table[p], judge, own.get(p)) for p in table if own.get(p) != judge]
            others = [gap for gap in gaps if gap is not None]
            if mine is not None and others:
                found[judge].append(mine - sum(others) / len(others))
    return {judge: mean_of(values) for judge, values in sorted(found.items())}


def _above(logits: Mapping[str, float], judge: str, author: str | None) -> float | None:
    """A judge's logit of a proposal above the mean of the other judges', its author left out; None if incomparable."""
    others = [x for j, x in logits.items() if j not in (judge, author)]
    return logits[judge] - sum(others) / len(others) if judge in logits and others else None


def independence(
    forecasts: Iterable[Forecast], settled: Mapping[int, float], seed: int, draws: int = 1000
) -> Independence:
    """Effective number of independent judges, n / (1 + (n − 1) ρ̄) (Kish's design effect), from {settled proposal: r}.

    ρ̄ is the mean correlation, over pairs of judges, of what is left of their logits after a straight line in r: errors
    they share. A judge's own proposals are left out, and so are pairs with fewer than five proposals in common. What a
    noisy r does not show of the true quality counts as shared, so the number is rather too low than too high. The
    interval is a percentile bootstrap over proposals.
    """
    table: dict[str, dict[int, float]] = defaultdict(dict)
    for f in forecasts:
        if not f.own and f.proposal in settled:
            table[f.judge][f.proposal] = logit(f.p)
    judges, proposals = sorted(table), sorted(settled)
    logits = np.array([[table[j].get(p, math.nan) for p in proposals] for j in judges])
    r = np.array([settled[p] for p in proposals])
    rho = _shared(logits, r) if len(judges) > 1 else None
    if rho is None:
        return Independence(len(judges), len(proposals), None, None)
    rng = np.random.default_rng(seed)
    samples = (rng.integers(len(proposals), size=len(proposals)) for _ in range(draws))
    again = [x for at in samples if (x := _shared(logits[:, at], r[at])) is not None]
    low, high = (float(x) for x in np.percentile(again, [5, 95])) if again else (-1.0, 1.0)
    worth = [_effective(len(judges), x) for x in (rho, high, low)]
    return Independence(len(judges), len(proposals), Interval(rho, low, high), Interval(*worth))


def _shared(logits: Array, r: Array) -> float | None:
    """Mean pairwise correlation of residuals; `logits` is judges × proposals with NaN where there is none."""
    found = []
    for a in range(len(logits)):
        for b in range(a):
            both = ~np.isnan(logits[a]) & ~np.isnan(logits[b])
            if both.sum() >= 5:
                x, y = _residual(logits[a, both], r[both]), _residual(logits[b, both], r[both])
                size = math.sqrt(float(x @ x) * float(y @ y))
                if size > 1e-12:
                    found.append(float(x @ y) / size)
    return sum(found) / len(found) if found else None


def _residual(x: Array, r: Array) -> Array:
    """What a straight line in r leaves of x."""
    x, r = x - x.mean(), r - r.mean()
    size = float(r @ r)
    return x - (float(x @ r) / size) * r if size > 1e-12 else x


def _effective(n: int, rho: float) -> float:
    """n judges whose errors correlate by rho, in independent judges; between 1 and n."""
    return min(max(n / (1 + (n - 1) * max(rho, 0.0)), 1.0), float(n))


@dataclass(frozen=True)
class Regret:
    """What measured runner-ups say of the ranking. `lost` is the mean r of a runner-up less its pick's, in σ:
    above 0 the council picks the wrong one. `share` of runner-ups measured better than the pick."""

    lost: Meter
    share: float | None


def regret(pairs: Sequence[tuple[float, float]]) -> Regret:
    """`pairs` holds (r of the pick, r of a runner-up) per round in which both were measured; each carries the noise of
    two runs. Runner-ups run after their pick, so r is against the book at their own run."""
    differences = [runner - pick for pick, runner in pairs]
    better = sum(d > 0 for d in differences) / len(differences) if differences else None
    return Regret(mean_of(differences), better)
