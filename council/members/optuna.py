"""`optuna`: hyper-parameter search as a member, by the tree-structured Parzen estimator (TPE).

What: it is told the constants and the BPB of every code measured in this session and proposes the constants that TPE
suggests next; proposals that only set constants it judges by P = γl / (γl + (1 − γ)g), where l and g are the densities
of the better and the worse experiments and γ is the base rate. Why: TPE ties strong language models that edit code, so
a council has to beat it. How to extend: subclass it and override `sampler`. The only door to optuna, which is imported
when it is used. No key, no network.
"""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from council import edit, syntax
from council.members import constants
from council.members.base import Member
from council.members.constants import Range
from council.types import Ballot, Brief, Past, Proposal, Slate, Turn

Point = Mapping[str, float]
"""Where a set of constants lies: per name a share, 0 to 1, of its range."""

STARTUP = 10
"""Trials before which TPE draws at random and forecasts are the base rate."""

REACH = 2.0
"""A constant may leave its baseline by this factor, on its scale."""

WIDTH = 0.15
"""Width of a density's kernels, as a share of a range."""

PRIOR = 0.2
"""Weight of the uniform density against all kernels together: far from every trial P goes to the base rate."""

ATTEMPTS = 10
"""How often TPE is asked again when its answer was already measured."""


class OptunaMember(Member):
    """Searches the constants with TPE."""

    kind = "optuna"

    def sampler(self, seed: int) -> Any:
        """The sampler of optuna that suggests."""
        from optuna.samplers import TPESampler

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return TPESampler(seed=seed % 2**32, n_startup_trials=STARTUP, multivariate=True)

    async def propose(self, brief: Brief, turn: Turn) -> Proposal | None:
        try:
            old = constants.searchable(brief)
        except syntax.Unparsable:
            return None
        if not old:
            return None
        ranges, told = ranges_of(brief, old), trials(brief)
        for new in self._suggestions(ranges, told, turn.seed):
            values = constants.consistent(old, new)
            if values == old or constants.already_ran(brief.history, values):
                continue
            changed = {name: value for name, value in values.items() if value != old[name]}
            return Proposal(
                title=constants.title_of(old, changed),
                hypothesis=f"Suggested by TPE after {len(told)} trials; it knows how constants did, not why.",
                family=constants.family_of(list(changed)),
                edit=edit.between(brief.source, constants.written(brief.source, changed, constants.device(brief))),
                forecast=forecast(brief, ranges, told, values),
            )
        return None

    def _suggestions(
        self, ranges: Mapping[str, Range], told: Sequence[tuple[Point, float]], seed: int
    ) -> Iterator[dict[str, float]]:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(sampler=self.sampler(seed))
        space = {name: optuna.distributions.FloatDistribution(0.0, 1.0) for name in ranges}
        for values, bpb in told:
            point = located(ranges, values)
            seen = {name: space[name] for name in point}
            study.add_trial(optuna.trial.create_trial(params=point, distributions=seen, value=bpb))
        for _ in range(ATTEMPTS):
            asked = study.ask(space)
            yield {name: ranges[name].at(asked.params[name]) for name in ranges}

    async def rank(self, brief: Brief, slate: Slate, turn: Turn) -> Ballot | None:
        labels = [entry.label for entry in slate.entries]
        random.Random(turn.seed).shuffle(labels)
        diffs, told = {entry.label: entry.diff for entry in slate.entries}, trials(brief)
        forecasts = {}
        for label in labels:
            values = constants.of_diff(brief.source, diffs[label], constants.device(brief))
            if values is None:
                forecasts[label] = brief.base_rate
            else:
                forecasts[label] = forecast(brief, ranges_of(brief, constants.searchable(brief)), told, values)
        return Ballot(tuple(sorted(labels, key=lambda label: -forecasts[label])), forecasts)


def ranges_of(brief: Brief, current: Mapping[str, float]) -> dict[str, Range]:
    """The range of every constant: around its baseline, and as far as any experiment went."""
    ranges = {}
    for name, value in constants.starting(brief.history, current).items():
        went = [past.constants[name] for past in brief.history if name in past.constants]
        ranges[name] = Range.around(value, REACH).over(went)
    return ranges


def trials(brief: Brief) -> list[tuple[Mapping[str, float], float]]:
    """Constants and BPB of every code that ran; one that crashed or broke a rule counts as worse than all others."""
    measured = [(past.constants, past.bpb) for past in brief.history if past.bpb is not None]
    scores = [bpb for _, bpb in measured]
    bad = max(scores, default=brief.baseline) + 1.0
    return measured + [(past.constants, bad) for past in brief.history if _failed(past)]


def _failed(past: Past) -> bool:
    return past.bpb is None and past.verdict in ("crash", "rejected")


def located(ranges: Mapping[str, Range], values: Mapping[str, float]) -> dict[str, float]:
    """Where these constants lie in their ranges; those without a place are left out."""
    return {
        name: allowed.place(values[name])
        for name, allowed in ranges.items()
        if name in values and allowed.fits(values[name])
    }


def forecast(
    brief: Brief,
    ranges: Mapping[str, Range],
    told: Sequence[tuple[Mapping[str, float], float]],
    values: Mapping[str, float],
) -> float:
    """P that these constants beat the book; the base rate until there are enough trials to tell."""
    if len(told) < STARTUP:
        return brief.base_rate
    rate = min(0.98, max(0.02, brief.base_rate))
    ordered = [located(ranges, tried) for tried, _ in sorted(told, key=lambda trial: trial[1])]
    best = min(len(ordered) - 1, math.ceil(rate * len(ordered)))
    here = located(ranges, values)
    varied = {name for name in here if any(point.get(name, here[name]) != here[name] for point in ordered)}
    here = {name: here[name] for name in varied}
    good, bad = log_density(ordered[:best], here), log_density(ordered[best:], here)
    odds = math.log(rate / (1 - rate)) + good - bad
    return min(0.98, max(0.02, 1 / (1 + math.exp(-odds))))


def log_density(points: Sequence[Point], here: Point) -> float:
    """Logarithm of a mixture of Gaussian kernels around the points and a uniform density, without common factors."""
    kernels = [math.exp(-0.5 * _distance(point, here)) for point in points]
    return math.log(sum(kernels) / len(kernels) + PRIOR)


def _distance(point: Point, here: Point) -> float:
    """Mean squared distance in widths of a kernel over the constants both have; it does not grow with their number."""
    shared = point.keys() & here.keys()
    return sum(((point[name] - here[name]) / WIDTH) ** 2 for name in sorted(shared)) / max(1, len(shared))
