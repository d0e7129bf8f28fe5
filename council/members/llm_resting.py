"""When a member that keeps failing is left alone, and when it is tried again.

What: `resting_until` says up to which round a member rests, from the rounds in which it failed and those it served in.
Why: a provider that is down costs every round its whole deadline, and may be back in an hour. How to extend:
it is a pure function of recorded rows, so that a resumed night rests as the killed one would have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from council.types import Miss

PATIENCE = 5
"""Rounds a member may fail in a row before it rests; then it rests 1, 2, 4, 8, … rounds between two tries."""
LONGEST_REST = 32
FAILURES = (Miss.TIMEOUT, Miss.REFUSED, Miss.BAD_REPLY, Miss.ERROR)
"""Outcomes that count as failing; being out of money, absent, or at rest is no failure."""


def resting_until(failed: Collection[int], delivered: Collection[int]) -> int:
    """The last round of the present rest, 0 if the member does not rest.

    A round counts as failed if nothing at all was delivered in it. `resting_until(...) >= n` means: rests in round n.
    """
    streak = rests = until = 0
    for round_ in sorted({*failed, *delivered}):
        if round_ in delivered:
            streak = rests = until = 0
            continue
        streak += 1
        if streak >= PATIENCE:
            until = round_ + min(LONGEST_REST, 2**rests)
            rests += 1
    return until


def failed_rounds(outcomes: Iterable[Mapping[str, Any]], member: str) -> set[int]:
    """The rounds in which rows of `outcomes` record a failure of a member."""
    kinds = {kind.value for kind in FAILURES}
    return {row["round"] for row in outcomes if row["member"] == member and row["kind"] in kinds}
