"""What a night will cost, said before it starts: dollars a round from real prompts, and how far a cap reaches.

What: `estimate` asks every member that pays for its answers, `sentence` says it to the user. Why: nobody should learn
in the morning what the night has cost. How to extend: a member that costs money implements `estimate(brief, others)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from council.members.base import Member
from council.types import Brief

SIGMA_GUESS = {"cpu": 0.008, "cuda": 0.0007}
"""Noise of one run before it was measured; only the length of the number matters here."""


@runtime_checkable
class Paid(Protocol):
    """A member whose answers cost money."""

    def estimate(self, brief: Brief, others: int) -> float:
        """Dollars of an ordinary round in which a slate has `others` proposals."""


def first_brief(program: str, source: str, device: str = "cpu") -> Brief:
    """A brief as the first round will give it, for its size."""
    sigma = SIGMA_GUESS.get(device, 0.008)
    return Brief("", 1, program, source, (), 1.0, sigma, sigma, 1.0, 0.0, 0, 0, device)


def estimate(members: Mapping[str, Member], brief: Brief) -> dict[str, float]:
    """Dollars a round of each member that costs something. Raises ConfigError if nobody knows a price."""
    others = len(members) - 1
    return {name: member.estimate(brief, others) for name, member in members.items() if isinstance(member, Paid)}


def free(members: Mapping[str, Member]) -> list[str]:
    """The names of the members that never cost anything; two of them go on when the dollars are spent."""
    return [name for name, member in members.items() if not isinstance(member, Paid)]


def bought(a_round: float, rounds: int, cap: float | None, spent: float = 0.0) -> int:
    """How many of the rounds the cap buys, about."""
    return rounds if cap is None or a_round <= 0 else min(rounds, int(max(0.0, cap - spent) / a_round))


def sentence(a_round: float, rounds: int, cap: float | None, spent: float = 0.0, others: Sequence[str] = ()) -> str:
    """`about $0.42 a round; your cap of $20.00 buys about 47 of 100 rounds, then the session ends`.

    `others` are the members that are free of charge.
    """
    if a_round <= 0:
        return "the members cost nothing"
    said = f"about ${a_round:.2f} a round" if a_round >= 0.005 else "less than a cent a round"
    if cap is None:
        return f"{said}, ${a_round * rounds:.2f} for {rounds} rounds; there is no cap (--max-usd)"
    paid = bought(a_round, rounds, cap, spent)
    if paid == rounds:
        return f"{said}; your cap of ${cap:.2f} buys about {paid} of {rounds} rounds"
    left = f" (${spent:.2f} of it spent)" if spent >= 0.005 else ""
    buys = f"buys about {paid} of {rounds} rounds" if paid else f"does not buy one whole round of {rounds}"
    after = f"{' and '.join(others)} go on alone" if len(others) > 1 else "the session ends after the round at hand"
    return f"{said}; your cap of ${cap:.2f}{left} {buys}: once no call fits it any more, {after}"
