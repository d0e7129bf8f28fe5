"""Borda: a proposal's score is the mean, over the judges that saw it, of the share of other labels it beats.

Uses rankings only. A judge with one label on its slate says nothing about it. Unvoted proposals score 0.
"""

from __future__ import annotations

from collections.abc import Mapping

from council.types import Ballot


def tally(slates: Mapping[str, Mapping[str, int]], ballots: Mapping[str, Ballot]) -> dict[int, float]:
    """Score per proposal id in 0..1. `slates` maps judge → label → proposal id, `ballots` judge → ballot."""
    shares: dict[int, list[float]] = {p: [] for labels in slates.values() for p in labels.values()}
    for judge, ballot in ballots.items():
        others = len(ballot.ranking) - 1
        for position, label in enumerate(ballot.ranking):
            if others:
                shares[slates[judge][label]].append((others - position) / others)
    return {p: sum(s) / len(s) if s else 0.0 for p, s in shares.items()}
