"""Nights of the council in a simulated world, all at once: rule, verdict, book and closing over arrays of nights.

The mechanism of `council/judge` over N nights, so that hundreds take seconds; `tests/judge/test_laws_simulate.py` plays
nights through both and compares every score and every book. BPB is in mBPB from the true BPB of the baseline, so the
true BPB of a code is minus its gain. Another verdict: one branch in `Books.trial`; another way to pick:
`council/simulate_picks.py`. Needs numpy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from council.judge import forecast as rule
from council.judge.book import PRIOR_WEIGHT
from council.judge.reputation import Z90
from council.judge.student import quantile
from council.simulate_picks import choose
from council.simulate_world import (
    CRASH,
    HARMFUL,
    HELPFUL,
    NEUTRAL,
    PAIRS,
    SLIGHT,
    Array,
    Draws,
    World,
    chances,
    forecasts,
    gains,
    phi,
    quality,
    usual,
)

Mask = NDArray[np.bool_]


class Rule:
    """The rule `forecast` of N nights: running statistics (N×M) and the posterior of K = 1 + 2M coefficients.

    The posterior is kept as mean and covariance and updated by one observation at a time (Sherman and Morrison),
    which is the same as inverting P anew.
    """

    def __init__(self, nights: int, members: int) -> None:
        self.m, self.seen = members, 0
        self.total, self.squares, self.own = (np.zeros((nights, members)) for _ in range(3))
        start = rule.start(map(str, range(members)), map(str, range(members)))
        self.prior, self.prior_weighted = start.prior, start.prior_weighted
        self.mean = np.tile(start.mean, (nights, 1))
        self.cov = np.tile(start.cov, (nights, 1, 1))
        self.features = np.zeros((nights, members, 1 + 2 * members))

    def score(self, stated: Array) -> tuple[Array, Array]:
        """Scores (N×M) and features (N×M×K) of a round's forecasts (N×J×M), which enter the statistics first."""
        logits = np.log(stated / (1 - stated))
        own = np.diagonal(logits, axis1=1, axis2=2)
        self.seen += 1
        self.total += logits.sum(axis=2) - own
        self.squares += (logits**2).sum(axis=2) - own**2
        self.own += own
        n = rule.PSEUDO + self.seen * (self.m - 1)
        mu = (rule.PSEUDO * rule.PSEUDO_MEAN + self.total) / n
        squares = rule.PSEUDO * (rule.PSEUDO_SD**2 + rule.PSEUDO_MEAN**2) + self.squares
        sd = np.sqrt(np.maximum(rule.LEAST_VARIANCE, squares / n - mu**2))
        own_mean = (self.own + rule.OWN_PSEUDO * (mu + rule.OWN_PRAISE * sd)) / (self.seen + rule.OWN_PSEUDO)
        habit = np.where(np.eye(self.m, dtype=bool), own_mean[:, :, None], mu[:, :, None])
        z = np.clip((logits - habit) / sd[:, :, None], -rule.Z_LIMIT, rule.Z_LIMIT)
        x = np.zeros_like(self.features)
        x[:, :, 0] = 1
        x[:, :, 1 : 1 + self.m] = z.transpose(0, 2, 1)
        x[:, :, 1 + self.m :] = np.eye(self.m)
        self.features += x
        return np.einsum("npk,nk->np", x, self.mean), x

    def settle(self, x: Array, r: Array) -> None:
        """Learn that proposals with features x (N×K) were measured at r (N)."""
        moved = np.einsum("nkl,nl->nk", self.cov, x)
        scale = (x * moved).sum(axis=1) + rule.NOISE
        self.mean += moved * ((r - (x * self.mean).sum(axis=1)) / scale)[:, None]
        self.cov -= moved[:, :, None] * moved[:, None, :] / scale[:, None, None]

    def skills(self) -> tuple[Array, Array]:
        """Per member its skill against the mean and the half-width of its 90 % interval (both N×M)."""
        means = self.features / max(self.seen, 1)
        contrast = means - means.mean(axis=1, keepdims=True)
        variance = np.einsum("npk,nkl,npl->np", contrast, self.cov, contrast)
        return np.einsum("npk,nk->np", contrast, self.mean), Z90 * np.sqrt(np.maximum(variance, 0))

    def helping(self) -> tuple[Mask, Mask]:
        """Whether the 90 % interval of the sum of the judges' weights lies above 0, and the sceptic's too (both N)."""
        at = slice(1, 1 + self.m)
        half = Z90 * np.sqrt(self.cov[:, at, at].sum(axis=(1, 2)))
        hope = np.linalg.solve(self.prior, self.prior_weighted)
        hope[[0, *range(1 + self.m, len(hope))]] = 0  # what the prior expects of the weights alone
        doubt = self.mean - self.cov @ (self.prior @ hope)
        return self.mean[:, at].sum(axis=1) > half, doubt[:, at].sum(axis=1) > half


class Books:
    """The books of N nights (arrays of N): b, v, the baseline's b, whether the incumbent is the baseline, true gain."""

    def __init__(self, base: Array, s0: float, verdict: str = "design", p_keep: float = 0.5) -> None:
        self.sigma2 = (PRIOR_WEIGHT * s0**2 + spread(base)) / (PRIOR_WEIGHT + base.shape[1] - 1)
        self.sigma = np.sqrt(self.sigma2)
        self.b_base, self.v_base = base.mean(axis=1), self.sigma2 / base.shape[1]
        self.b, self.v = self.b_base.copy(), self.v_base.copy()
        self.baseline = np.ones(len(base), dtype=bool)
        self.gain = np.zeros(len(base))
        self.verdict = verdict
        self.z_keep = NormalDist().inv_cdf(p_keep)

    def trial(self, y: Array, score: Array, gain: Array, crash: Mask) -> tuple[Array, Mask]:
        """Judge trials measured at y (N) of true gain `gain`: d/σ (crashes: the lowest r) and what was kept."""
        d = self.b - y
        sigmas = np.where(crash, rule.R_LOW, d / self.sigma)
        if self.verdict == "raw":  # the foil: keep what measures below the book, book what was measured
            kept = (d > 0) & ~crash
            self.b = np.where(kept, y, self.b)
        else:
            kept = self._design(d, score, crash)
        self.gain = np.where(kept, self.gain + gain, self.gain)
        self.baseline &= ~kept
        self._back()
        return sigmas, kept

    def _design(self, d: Array, score: Array, crash: Mask) -> Mask:
        """The verdict of `council/judge/book.py`; moves b and v."""
        m = self.sigma * np.clip(score, -2, 0)
        s = self.v + 2 * self.sigma2
        i = d - m
        g = m + self.sigma2 / s * i
        kept = (d > 0) & (g / (self.sigma * np.sqrt(1 - self.sigma2 / s)) > self.z_keep) & ~crash
        won = np.maximum(m + (self.v + self.sigma2) / s * i, d - self.sigma)
        nudge = np.clip(self.v / s * i, -0.25 * self.sigma, 0.25 * self.sigma)
        step = np.where(crash, 0.0, np.where(kept, won, nudge))
        discarded = np.where(crash, self.v, self.v * (1 - self.v / s))
        self.v = np.where(kept, (self.v + self.sigma2) * self.sigma2 / s, discarded)
        self.b = self.b - step
        return kept

    def _back(self) -> None:
        """Return to the baseline where the incumbent is booked no better."""
        gone = ~self.baseline & (self.b > self.b_base)
        self.b, self.v = np.where(gone, self.b_base, self.b), np.where(gone, self.v_base, self.v)
        self.gain = np.where(gone, 0.0, self.gain)
        self.baseline |= gone


def centred(values: Array) -> Array:
    """Less each night's mean; `values` is nights × anything."""
    return np.asarray(values - values.mean(axis=1, keepdims=True))


def spread(values: Array) -> Array:
    """Per night the sum of squares around the mean; `values` is nights × runs."""
    return np.asarray((centred(values) ** 2).sum(axis=1))


@dataclass(eq=False)
class Nights:
    """What came of N nights. Gains in mBPB; `trace` has one dict of arrays per round if asked for.

    `booked` is what is believed beyond the truth (true BPB minus b), `kept` and `false_kept` count kept edits and those
    of no true gain; `confirmed`, `low` and `published` are the closing's. N×M: `skill` with the `half` width of its
    interval, `truth` (what the member's edits are worth on average, against the council's mean, over the states the
    night went through), `realised` (the same of those it happened to propose). N: `helping`, `shown`: the judges are
    said to help, and even to a sceptic.
    """

    gain: Array
    booked: Array
    baseline: Mask
    kept: NDArray[np.int64]
    false_kept: NDArray[np.int64]
    confirmed: Mask
    low: Array
    published: Array
    skill: Array
    half: Array
    truth: Array
    realised: Array
    helping: Mask
    shown: Mask
    trace: list[dict[str, NDArray[Any]]] = field(default_factory=list)


def play(
    world: World,
    draws: Draws,
    verdict: str = "design",
    pick: str = "forecast",
    p_keep: float = 0.5,
    skills: bool = True,
    trace: bool = False,
) -> Nights:
    """Play the nights of `draws` under a verdict (`design`, `raw`) and one of PICKS, or a rule by name or path.

    Without `skills` the true skills are not computed, which is what takes longest.
    """
    n, at = len(draws.rate), np.arange(len(draws.rate))
    learnt, books = Rule(n, world.members), Books(world.sigma * draws.base, world.sigma, verdict, p_keep)
    centre, size = usual(world)
    truth, realised = np.zeros_like(draws.rate), np.zeros_like(draws.rate)
    kept_all, false = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    told: list[dict[str, NDArray[Any]]] = []
    for t in range(world.rounds):
        gain, crash = gains(world, draws, t, books.gain)
        seen = (quality(world, gain, crash) - centre) / size if size > 0 else np.zeros_like(gain)
        signal, stated = forecasts(world, draws, t, seen)
        scores, x = learnt.score(stated)
        chosen = choose(pick, scores, signal, stated, draws.tie[:, t])
        if skills:
            truth += member_r(world, draws, books)
            realised += np.where(crash, rule.R_LOW, expected_r(world, books, gain))
        y = world.sigma * draws.run[:, t] - books.gain - gain[at, chosen]
        sigmas, kept = books.trial(y, scores[at, chosen], gain[at, chosen], crash[at, chosen])
        learnt.settle(x[at, chosen], np.clip(sigmas, rule.R_LOW, rule.R_HIGH))
        kept_all += kept
        false += kept & (gain[at, chosen] <= 0)
        if trace:
            now = {"b": books.b, "v": books.v, "gain": books.gain, "baseline": books.baseline.copy()}
            told.append(
                {
                    "stated": stated,
                    "scores": scores,
                    "pick": chosen,
                    "y": y,
                    "crash": crash[at, chosen],
                    "kept": kept,
                    **now,
                }
            )
    return Nights(
        books.gain,
        -books.gain - books.b,
        books.baseline,
        kept_all,
        false,
        *close(world, draws, books),
        *learnt.skills(),
        centred(truth / world.rounds),
        centred(realised / world.rounds),
        *learnt.helping(),
        told,
    )


def expected_r(world: World, books: Books, gain: Array) -> Array:
    """The r that edits of these true gains (N×…) would settle at on average if they ran now.

    The mean of a normal variable clipped to −2..3; d = booked BPB − (true BPB of the edited code + noise).
    """
    shape = (-1, *([1] * (gain.ndim - 1)))
    centre = ((books.b + books.gain).reshape(shape) + gain) / books.sigma.reshape(shape)
    sd = (world.sigma / books.sigma).reshape(shape)
    low, high = (rule.R_LOW - centre) / sd, (rule.R_HIGH - centre) / sd
    below, under = phi(low), phi(high)
    bump = (np.exp(-(low**2) / 2) - np.exp(-(high**2) / 2)) / math.sqrt(2 * math.pi)
    return np.asarray(rule.R_LOW * below + rule.R_HIGH * (1 - under) + centre * (under - below) + sd * bump)


def member_r(world: World, draws: Draws, books: Books) -> Array:
    """The r that each member's edits would settle at on average if they ran now (N×M), over all it might propose."""
    if not world.helps:  # then all members are alike
        return np.zeros_like(draws.rate)
    rate, left = chances(world, draws, books.gain)
    helpful = expected_r(world, books, (left * draws.size)[:, :, None] * HELPFUL).mean(axis=2)
    fixed = np.concatenate([SLIGHT, HARMFUL])
    rest = expected_r(world, books, np.tile(fixed, (len(rate), 1))).reshape(len(rate), 2, -1).mean(axis=2)
    other = NEUTRAL * rest[:, 0] + (1 - NEUTRAL) * rest[:, 1]
    return rate * helpful + CRASH * rule.R_LOW + (1 - CRASH - rate) * other[:, None]


def close(world: World, draws: Draws, books: Books) -> tuple[Mask, Array, Array]:
    """The closing with three pairs: confirmed, low, g (arrays of N). A night on the baseline has nothing to confirm."""
    runs = world.sigma * draws.close
    baseline, incumbent = runs[:, 0], runs[:, 1] - books.gain[:, None]
    freedom = PRIOR_WEIGHT + (draws.base.shape[1] - 1) + 2 * (PAIRS - 1)
    squares = PRIOR_WEIGHT * world.sigma**2 + spread(world.sigma * draws.base) + spread(baseline) + spread(incumbent)
    g = (baseline - incumbent).mean(axis=1)
    low = g - quantile(0.90, freedom) * np.sqrt(squares / freedom * 2 / PAIRS)
    return (low > 0) & ~books.baseline, low, g
