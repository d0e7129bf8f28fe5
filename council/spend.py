"""What a night will cost, said before it starts: dollars a round from real prompts, and how far a cap reaches.

What: `estimate` asks every member that pays for its answers, `sentence` says it to the user. Why: nobody should learn
in the morning what the night has cost. How to extend: a member that costs money implements `estimate(brief, others)`.
"""

from __future__ import annotations

from collections.abc import Mapping
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


def sentence(a_round: float, rounds: int, cap: float | None, spent: float = 0.0) -> str:
    """`about $0.42 a round; your cap of $20.00 buys about 47 of 100 rounds`."""
    if a_round <= 0:
        return "the members cost nothing"
    said = f"about ${a_round:.2f} a round" if a_round >= 0.005 else "less than a cent a round"
    if cap is None:
        return f"{said}, ${a_round * rounds:.2f} for {rounds} rounds; there is no cap (--max-usd)"
    bought = min(rounds, int(max(0.0, cap - spent) / a_round))
    return f"{said}; your cap of ${cap:.2f} buys about {bought} of {rounds} rounds"
