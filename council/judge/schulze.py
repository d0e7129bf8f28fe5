"""Schulze: the winner of the strongest paths of pairwise victories (winning votes), on partial slates.

Source: M. Schulze, A new monotonic, clone-independent, reversal symmetric, and Condorcet-consistent single-winner
election method, Social Choice and Welfare 36 (2011), section 2. A judge does not see its own proposal, so only judges
that ranked both of a pair count for it. Uses rankings only. Equal scores are left to `judge.order`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from council.types import Ballot

Strength = tuple[int, int, int]
"""A link or path in the order "winning votes": victories before ties before defeats; among victories, more support and
then less opposition is stronger; among defeats, less opposition and then more support."""

Pairs = dict[tuple[int, int], int]


def tally(slates: Mapping[str, Mapping[str, int]], ballots: Mapping[str, Ballot]) -> dict[int, float]:
    """Per proposal id the share of the other proposals that do not beat it, 0..1; 1 means a Schulze winner.

    `slates` maps judge → label → proposal id, `ballots` judge → ballot. A proposal that no ballot compares with
    another scores 0. Since "beats" is transitive, this order is one of those the method allows.
    """
    everyone = sorted({p for labels in slates.values() for p in labels.values()})
    support = pairwise(slates, ballots)
    compared = sorted({p for pair in support for p in pair})
    paths = strongest_paths(support, compared)
    scores = dict.fromkeys(everyone, 0.0)
    for p in compared:
        beaten_by = sum(paths[q, p] > paths[p, q] for q in compared if q != p)
        scores[p] = 1.0 - beaten_by / (len(everyone) - 1)
    return scores


def pairwise(slates: Mapping[str, Mapping[str, int]], ballots: Mapping[str, Ballot]) -> Pairs:
    """How many judges rank the first of a pair above the second; both directions of every pair somebody ranked."""
    support: Pairs = {}
    for judge, ballot in ballots.items():
        for better, worse in combinations([slates[judge][label] for label in ballot.ranking], 2):
            support[better, worse] = support.get((better, worse), 0) + 1
            support.setdefault((worse, better), 0)
    return support


def strength(support: int, opposition: int) -> Strength:
    """One link in the order "winning votes". Two links nobody won are equal, whatever their size."""
    if support > opposition:
        return (1, support, -opposition)
    if support == opposition:
        return (0, 0, 0)
    return (-1, -opposition, support)


def strongest_paths(support: Pairs, candidates: list[int]) -> dict[tuple[int, int], Strength]:
    """Strength of the strongest path between any two (Floyd and Warshall): that of its weakest link."""
    links = [(a, b) for a in candidates for b in candidates if a != b]
    paths = {(a, b): strength(support.get((a, b), 0), support.get((b, a), 0)) for a, b in links}
    for via in candidates:
        for a in candidates:
            for b in candidates:
                if len({via, a, b}) == 3:
                    paths[a, b] = max(paths[a, b], min(paths[a, via], paths[via, b]))
    return paths
