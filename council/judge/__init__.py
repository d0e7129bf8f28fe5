"""How ballots become a pick and measurements become belief: pure functions, state in and state out.

`slates.py` draws what each judge sees, `ballots.py` reads what it answers, a rule (`borda.py`, `schulze.py`, and
`forecast.py`, which also learns) makes a tally, `book.py` says what a measurement changes, `closing.py` what may be
called a gain. `reputation.py` and `meters.py` say who proposes and judges how well, and what bends the votes. The
formulas and their worked numbers are in `docs/mechanism.md`. Files that need numpy are imported when they are used.
To add a rule: one file with a `tally` of the same signature, and its line in RULES.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from council.types import Ballot

Tally = Callable[[Mapping[str, Mapping[str, int]], Mapping[str, Ballot]], dict[int, float]]
"""(judge → label → proposal id, judge → ballot) → score per proposal id; higher is better."""

RULES: dict[str, str] = {"borda": "council.judge.borda:tally", "schulze": "council.judge.schulze:tally"}


def rule(name: str) -> Tally:
    """The rule of that name."""
    module, _, function = RULES[name].partition(":")
    found: Tally = getattr(import_module(module), function)
    return found


def order(scores: Mapping[int, float], tie: Callable[[int], str]) -> Sequence[int]:
    """Proposal ids from best to worst; equal scores by the lowest tie hash."""
    return tuple(sorted(scores, key=lambda p: (-scores[p], tie(p))))
