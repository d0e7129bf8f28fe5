"""Reading a ballot: complete or not at all, and forecasts that never rise down the ranking.

A ballot with a fault goes back to its judge once. If the forecasts still rise, their logits are replaced by the
isotonic (pool adjacent violators) fit down the ranking, and the original stays stored; any other fault is an
abstention.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from council.types import Ballot

EDGE = 0.001
"""Forecasts are clipped this far from 0 and 1 before their logit is taken."""


def fault(ballot: Ballot, labels: Sequence[str]) -> str:
    """Why the ballot cannot be counted at all, or an empty string."""
    if sorted(ballot.ranking) != sorted(labels):
        named = ", ".join(ballot.ranking) or "none"
        return f"the ranking must name each of {', '.join(labels)} exactly once; it names {named}"
    if set(ballot.forecasts) != set(labels):
        return f"there must be one forecast for each of {', '.join(labels)}"
    wrong = {k: p for k, p in ballot.forecasts.items() if not (isinstance(p, int | float) and 0 <= p <= 1)}
    if wrong:
        return f"forecasts must lie between 0 and 1: {wrong}"
    return ""


def rises(ballot: Ballot) -> str:
    """Where forecasts rise down the ranking, or an empty string. The ballot has no fault."""
    for better, worse in zip(ballot.ranking, ballot.ranking[1:], strict=False):
        if ballot.forecasts[worse] > ballot.forecasts[better]:
            return (
                f"{better} is ranked above {worse}, but its forecast {ballot.forecasts[better]:g} "
                f"is below {ballot.forecasts[worse]:g}"
            )
    return ""


def mend(ballot: Ballot) -> Ballot:
    """The same ranking with forecasts that never rise: isotonic least squares on logits, equal weights."""
    pools: list[tuple[float, int]] = []
    for label in ballot.ranking:
        p = min(max(ballot.forecasts[label], EDGE), 1 - EDGE)
        pools.append((math.log(p / (1 - p)), 1))
        while len(pools) > 1 and pools[-2][0] < pools[-1][0]:
            (high, n), (low, m) = pools[-2], pools[-1]
            pools[-2:] = [((high * n + low * m) / (n + m), n + m)]
    fitted = [mean for mean, n in pools for _ in range(n)]
    return Ballot(ballot.ranking, {k: 1 / (1 + math.exp(-x)) for k, x in zip(ballot.ranking, fitted, strict=True)})
