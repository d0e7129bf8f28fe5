"""How ballots become a pick and measurements become belief: pure functions, state in and state out.

`slates.py` draws what each judge sees, `ballots.py` reads what it answers, a rule (`borda.py`, `schulze.py`, and
`forecast.py`, which also learns) makes a tally, `book.py` says what a measurement changes, `closing.py` what may be
called a gain. `reputation.py` and `meters.py` say who proposes and judges how well, and what bends the votes. The
formulas and their worked numbers are in `docs/mechanism.md`. Files that need numpy are imported when they are used.
To add a rule: write a `Tally`, test it with `council.testing.contracts.RuleContract`, and name it in `council.yaml` as
`rule: package.module:function` or register it under the entry point group `council.rules`.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module

from council.errors import ConfigError, RuleFailed
from council.types import Ballot

Tally = Callable[[Mapping[str, Mapping[str, int]], Mapping[str, Ballot]], dict[int, float]]
"""(judge → label → proposal id, judge → ballot) → score per proposal id; higher is better."""

GROUP = "council.rules"
"""The entry point group that third parties register under."""

RULES: dict[str, str] = {"borda": "council.judge.borda:tally", "schulze": "council.judge.schulze:tally"}
"""Short name → where the function is. `forecast`, which also learns, is no plain function and not among them."""


def known() -> dict[str, str]:
    """Every rule that can be named here, with the place of its function. A built-in cannot be shadowed."""
    from importlib.metadata import entry_points

    return {point.name: point.value for point in entry_points(group=GROUP)} | RULES


def rule(name: str) -> Tally:
    """The rule of that name: a built-in, an entry point, or a dotted path `package.module:function`."""
    where = RULES.get(name) or (name if ":" in name else known().get(name))
    if where is None:
        raise _missing(f"there is no rule {name!r}")
    module, _, function = where.partition(":")
    try:
        found = getattr(import_module(module), function)
    except Exception as error:  # its module is a stranger's code and may raise anything
        told = f"{type(error).__name__}: {error}"
        raise _missing(f"the rule {name!r} cannot be loaded: {told}") from error
    if not callable(found):
        raise _missing(f"the rule {name!r} is not a function but {type(found).__name__}")
    tally: Tally = found
    return tally


def _missing(why: str) -> ConfigError:
    names = ", ".join(("forecast", *sorted(known())))
    return ConfigError(why, hint=f"Rules: {names}; or a path such as my_package.rules:tally.")


def scores(
    tally: Tally, slates: Mapping[str, Mapping[str, int]], ballots: Mapping[str, Ballot], standing: Iterable[int]
) -> dict[int, float]:
    """A rule's score per standing proposal, 0 where it gives none. Raises RuleFailed if it gives no numbers."""
    try:
        found = tally(slates, ballots)
        counted = {p: float(found.get(p, 0.0)) for p in standing}
    except Exception as error:
        raise _failed(f"{type(error).__name__}: {error}") from error
    wrong = [p for p, score in counted.items() if not math.isfinite(score)]
    if wrong:
        raise _failed(f"its score for proposal {wrong[0]} is {counted[wrong[0]]}")
    return counted


def _failed(why: str) -> RuleFailed:
    return RuleFailed(
        f"the rule could not count the ballots: {why}",
        kept="Proposals and ballots are recorded.",
        hint="Mend the rule and resume; its contract test is council.testing.contracts.RuleContract.",
    )


def order(scores: Mapping[int, float], tie: Callable[[int], str]) -> Sequence[int]:
    """Proposal ids from best to worst; equal scores by the lowest tie hash."""
    return tuple(sorted(scores, key=lambda p: (-scores[p], tie(p))))
