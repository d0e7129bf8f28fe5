"""The rule `forecast`: each judge's standardised forecasts, weighted by what past ones were worth (docs/mechanism.md).

A Bayesian linear regression of the settled r of a proposal on phi, its features: 1, the J judges' standardised
forecasts of it, and which of the M members wrote it. Its prediction is the score, the expected r in σ. State in, state
out: `score` reads a round's forecasts, `settle` learns from one measurement, `rebuild` makes the state of any moment
from plain rows. The order of judges and members is fixed by the state, so results do not depend on the order of rows.

Dimensions: J judges, M members, K = 1 + J + M coefficients b0, w (one per judge), u (one per member). P is the
posterior precision (K×K) and P⁻¹q the posterior mean (K). Source: conjugate normal regression with known noise,
for example Gelman et al., Bayesian Data Analysis, chapter 14.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Phi = tuple[float, ...]

EDGE = 0.02
"""Forecasts are clipped this far from 0 and 1."""
PSEUDO, PSEUDO_MEAN, PSEUDO_SD = 5, 0.4, 0.8
"""A judge's running statistics start with this many values of this logit mean and standard deviation."""
LEAST_VARIANCE = 0.05
"""Of a judge's logits: one that hardly varies is not blown up without limit."""
OWN_PSEUDO, OWN_PRAISE = 3, 0.5
"""A member's own forecasts start with this many values, this many of its SDs above its mean of the others'."""
Z_LIMIT = 3.0
NOISE = 2.25
"""Variance of r around its expectation: 1.5² in σ²."""
R_LOW, R_HIGH = -2.0, 3.0
"""r is clipped here; a crash and a rejected measurement settle at the lower end."""
BASE_MEAN, BASE_SD = -0.5, 1.0
WEIGHT_TOTAL, WEIGHT_SD = 0.5, 0.15
AUTHOR_SD = 0.3


@dataclass(frozen=True)
class Forecast:
    """One judge's probability that a proposal's measured BPB will be below the booked best."""

    judge: str
    proposal: int
    p: float
    own: bool


@dataclass(frozen=True)
class Running:
    """A judge's logits so far: count, sum and sum of squares of those of others' proposals; count and sum of own."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    own_n: int = 0
    own_total: float = 0.0

    @property
    def mean(self) -> float:
        """Mean logit of others' proposals, pseudo-values included."""
        return (PSEUDO * PSEUDO_MEAN + self.total) / (PSEUDO + self.n)

    @property
    def sd(self) -> float:
        """Standard deviation of the same, never below √.05."""
        squares = PSEUDO * (PSEUDO_SD**2 + PSEUDO_MEAN**2) + self.squares
        return math.sqrt(max(LEAST_VARIANCE, squares / (PSEUDO + self.n) - self.mean**2))

    @property
    def own_mean(self) -> float:
        """Mean logit of own proposals; praise that never varies ends here and so says nothing."""
        return (self.own_total + OWN_PSEUDO * (self.mean + OWN_PRAISE * self.sd)) / (self.own_n + OWN_PSEUDO)


@dataclass(frozen=True, eq=False)
class Carried:
    """What an earlier session says of judges and authors: posterior of w and u, in order of these names."""

    judges: tuple[str, ...]
    members: tuple[str, ...]
    mean: Array
    cov: Array


@dataclass(frozen=True, eq=False)
class State:
    """Everything the rule remembers. Arrays are never written to.

    `precision` P (K×K), `weighted` q (K), `prior` and `prior_weighted` the same before any settlement; `running` per
    judge; `features` (M×K) sums and `proposals` (M) counts of phi over each member's proposals; `settled` counts
    settlements.
    """

    judges: tuple[str, ...]
    members: tuple[str, ...]
    precision: Array
    weighted: Array
    prior: Array
    prior_weighted: Array
    running: tuple[Running, ...]
    features: Array
    proposals: tuple[int, ...]
    settled: int = 0

    def __eq__(self, other: object) -> bool:
        """Equal in every number."""
        if not isinstance(other, State):
            return NotImplemented
        arrays = ("precision", "weighted", "prior", "prior_weighted", "features")
        rest = ("judges", "members", "running", "proposals", "settled")
        return all(np.array_equal(getattr(self, a), getattr(other, a)) for a in arrays) and all(
            getattr(self, a) == getattr(other, a) for a in rest
        )

    @cached_property
    def cov(self) -> Array:
        """Posterior covariance P⁻¹ (K×K)."""
        return np.asarray(np.linalg.inv(self.precision))

    @cached_property
    def mean(self) -> Array:
        """Posterior mean P⁻¹q (K): b0, w, u."""
        return np.asarray(np.linalg.solve(self.precision, self.weighted))


@dataclass(frozen=True)
class Scored:
    """A round's tally: expected r in σ and features per proposal, and the state that has seen its forecasts."""

    scores: dict[int, float]
    phis: dict[int, Phi]
    state: State


@dataclass(frozen=True)
class Round:
    """One round as plain rows: {proposal: author}, forecasts, and what was then settled: (proposal, r), in order.

    A settlement may name a proposal of an earlier round (a runner-up).
    """

    authors: Mapping[int, str]
    forecasts: Sequence[Forecast]
    settled: Sequence[tuple[int, float]] = field(default=())


def start(judges: Iterable[str], members: Iterable[str], carried: Carried | None = None) -> State:
    """The state before the first round. Judges and members stand in order of their names."""
    js, ms = tuple(sorted(set(judges))), tuple(sorted(set(members)))
    size = 1 + len(js) + len(ms)
    weight = WEIGHT_TOTAL / len(js) if js else 0.0
    mean = np.array([BASE_MEAN] + [weight] * len(js) + [0.0] * len(ms))
    cov = np.diag(np.array([BASE_SD] + [WEIGHT_SD] * len(js) + [AUTHOR_SD] * len(ms)) ** 2)
    if carried is not None:
        _overwrite(mean, cov, js, ms, carried)
    precision = np.linalg.inv(cov)
    q, none = precision @ mean, np.zeros((len(ms), size))
    return State(js, ms, precision, q, precision, q, (Running(),) * len(js), none, (0,) * len(ms))


def _overwrite(mean: Array, cov: Array, judges: tuple[str, ...], members: tuple[str, ...], carried: Carried) -> None:
    """Put what is carried over in the place of the prior of the names it knows; b0 keeps its own, uncorrelated."""
    known = [("w", j) for j in carried.judges] + [("u", m) for m in carried.members]
    here = [("w", j) for j in judges] + [("u", m) for m in members]
    old = [i for i, name in enumerate(known) if name in here]
    new = [1 + here.index(known[i]) for i in old]
    mean[new] = carried.mean[old]
    cov[np.ix_(new, new)] = carried.cov[np.ix_(old, old)]


def carry(state: State) -> Carried:
    """What the next session may start from: the posterior of w and u, without b0."""
    return Carried(state.judges, state.members, state.mean[1:], state.cov[1:, 1:])


def logit(p: float) -> float:
    """Log-odds of a forecast, clipped to .02 to .98."""
    p = min(max(p, EDGE), 1 - EDGE)
    return math.log(p / (1 - p))


def score(state: State, authors: Mapping[int, str], forecasts: Iterable[Forecast]) -> Scored:
    """Expected r of every proposal of a round {id: author}; forecasts by who is no judge of the state are ignored."""
    mine = sorted(
        (f for f in forecasts if f.judge in state.judges and f.proposal in authors), key=lambda f: (f.judge, f.proposal)
    )
    seen = replace(state, running=tuple(_see(r, j, mine) for r, j in zip(state.running, state.judges, strict=True)))
    phis = {p: phi(seen, authors[p], [f for f in mine if f.proposal == p]) for p in sorted(authors)}
    beta = state.mean
    features, counts = state.features.copy(), list(state.proposals)
    for p, x in phis.items():
        if authors[p] in state.members:
            at = state.members.index(authors[p])
            features[at] += x
            counts[at] += 1
    seen = replace(seen, features=features, proposals=tuple(counts))
    return Scored({p: float(np.dot(x, beta)) for p, x in phis.items()}, phis, seen)


def _see(running: Running, judge: str, forecasts: Sequence[Forecast]) -> Running:
    """The running statistics of a judge after this round's forecasts."""
    others = [logit(f.p) for f in forecasts if f.judge == judge and not f.own]
    own = [logit(f.p) for f in forecasts if f.judge == judge and f.own]
    return Running(
        running.n + len(others),
        running.total + sum(others),
        running.squares + sum(x * x for x in others),
        running.own_n + len(own),
        running.own_total + sum(own),
    )


def standardise(running: Running, forecast: Forecast) -> float:
    """z: how far a forecast lies above its judge's habit, in its own SDs, clipped to ±3."""
    habit = running.own_mean if forecast.own else running.mean
    return min(max((logit(forecast.p) - habit) / running.sd, -Z_LIMIT), Z_LIMIT)


def phi(state: State, author: str, forecasts: Iterable[Forecast]) -> Phi:
    """Features of one proposal (K numbers). A judge that gave no forecast counts as the mean of those who did, or 0.

    An author who is no member of the state (it joined later) has no coefficient.
    """
    z = {f.judge: standardise(state.running[state.judges.index(f.judge)], f) for f in forecasts}
    mean = sum(z.values()) / len(z) if z else 0.0
    return (1.0, *(z.get(j, mean) for j in state.judges), *(1.0 if m == author else 0.0 for m in state.members))


def outcome(sigmas: float | None) -> float:
    """r: the measured gain on the book in σ, clipped to −2..3; None (crash, timeout, oom, rejected) is −2."""
    return R_LOW if sigmas is None else min(max(sigmas, R_LOW), R_HIGH)


def settle(state: State, features: Sequence[float], r: float) -> State:
    """The state after a proposal with these features was measured at r (σ)."""
    x = np.asarray(features, dtype=np.float64)
    return replace(
        state,
        precision=state.precision + np.outer(x, x) / NOISE,
        weighted=state.weighted + x * r / NOISE,
        settled=state.settled + 1,
    )


@dataclass(frozen=True)
class Rebuilt:
    """The state after the last round, and per proposal its features and the score it had when it was voted on."""

    state: State
    phis: dict[int, Phi]
    scores: dict[int, float]


def rebuild(
    judges: Iterable[str], members: Iterable[str], rounds: Iterable[Round], carried: Carried | None = None
) -> Rebuilt:
    """The state that these rounds, in order, lead to: equal in every bit to having called `score` and `settle` live."""
    state, phis, scores = start(judges, members, carried), {}, {}
    for one in rounds:
        scored = score(state, one.authors, one.forecasts)
        state = scored.state
        phis.update(scored.phis)
        scores.update(scored.scores)
        for proposal, r in one.settled:
            state = settle(state, phis[proposal], r)
    return Rebuilt(state, phis, scores)
