"""Schulze: the published example, partial slates, and what counts as a victory."""

from __future__ import annotations

import pytest

from council import judge
from council.judge import schulze
from council.types import Ballot

PUBLISHED = {
    "ACBED": 5,
    "ADECB": 5,
    "BEDAC": 8,
    "CABED": 3,
    "CAEBD": 7,
    "CBADE": 2,
    "DCEBA": 7,
    "EBADC": 8,
}
"""Forty-five voters, five candidates: the example of Schulze's paper; its ranking is E, A, C, B, D."""


def votes(rankings: list[str]) -> tuple[dict[str, dict[str, int]], dict[str, Ballot]]:
    """Slates and ballots of voters that see what they rank; the label is the proposal's letter, its id the code."""
    slates = {f"v{i}": {c: ord(c) for c in r} for i, r in enumerate(rankings)}
    return slates, {f"v{i}": Ballot(tuple(r), dict.fromkeys(r, 0.5)) for i, r in enumerate(rankings)}


def ranked(scores: dict[int, float]) -> str:
    return "".join(chr(p) for p in judge.order(scores, str))


def test_the_published_example_is_ranked_as_published() -> None:
    scores = schulze.tally(*votes([r for r, n in PUBLISHED.items() for _ in range(n)]))
    assert ranked(scores) == "EACBD"
    assert scores[ord("E")] == 1.0 and scores[ord("D")] == 0.0


def test_a_pair_counts_only_the_judges_that_ranked_both() -> None:
    # The authors of A, B and C do not see their own: each pair is compared by one judge.
    slates, ballots = votes(["BC", "AC", "BA"])
    assert schulze.pairwise(slates, ballots)[ord("B"), ord("C")] == 1
    assert ranked(schulze.tally(slates, ballots)) == "BAC"


def test_equal_support_is_decided_by_less_opposition() -> None:
    # A>B 3:2, B>C 3:1, C>A 3:0: a cycle whose weakest link is the most opposed one.
    slates, ballots = votes(["AB", "AB", "AB", "BA", "BA", "BC", "BC", "BC", "CB", "CA", "CA", "CA"])
    assert ranked(schulze.tally(slates, ballots)) == "BCA"


def test_links_nobody_won_are_equal_and_lie_between_victory_and_defeat() -> None:
    assert schulze.strength(4, 4) == schulze.strength(0, 0)
    assert schulze.strength(1, 0) > schulze.strength(4, 4) > schulze.strength(0, 1)
    assert schulze.strength(3, 1) > schulze.strength(3, 2) > schulze.strength(2, 0)
    assert schulze.strength(2, 3) > schulze.strength(1, 4) and schulze.strength(2, 3) > schulze.strength(1, 3)


def test_what_no_ballot_compares_comes_last() -> None:
    slates, ballots = votes(["AB"])
    slates["silent"] = {"A": ord("A"), "C": ord("C")}
    assert schulze.tally(slates, ballots) == {ord("A"): 1.0, ord("B"): 0.5, ord("C"): 0.0}


@pytest.mark.parametrize("rankings", [[], ["A"], ["A", "B"]])
def test_ballots_that_compare_nothing_decide_nothing(rankings: list[str]) -> None:
    assert set(schulze.tally(*votes(rankings)).values()) <= {0.0}
