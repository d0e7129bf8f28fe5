"""Borda: what a fair count must satisfy, and the order of equal scores."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from council import judge
from council.judge.borda import tally
from council.judge.slates import label
from council.types import Ballot


@st.composite
def votes(draw):
    """Slates {judge: {label: proposal}} and a ballot for each: every judge sees some of the proposals."""
    proposals = draw(st.lists(st.integers(1, 50), min_size=1, max_size=6, unique=True))
    slates, ballots = {}, {}
    for name in range(draw(st.integers(1, 5))):
        seen = draw(st.permutations(proposals))[: draw(st.integers(1, len(proposals)))]
        slates[f"j{name}"] = {label(i): p for i, p in enumerate(seen)}
        ranking = tuple(draw(st.permutations(list(slates[f"j{name}"]))))
        ballots[f"j{name}"] = Ballot(ranking, dict.fromkeys(ranking, 0.5))
    return slates, ballots


def unanimous(names: list[str], order: list[int]) -> tuple[dict, dict]:
    slates = {n: {label(i): p for i, p in enumerate(order)} for n in names}
    return slates, {n: Ballot(tuple(slates[n]), {}) for n in names}


def test_what_everyone_ranks_first_wins_with_a_full_score():
    assert tally(*unanimous(["a", "b", "c"], [7, 8, 9])) == {7: 1.0, 8: 0.5, 9: 0.0}


def test_a_proposal_seen_by_fewer_judges_is_scored_by_those():
    slates = {"a": {"A": 2, "B": 3}, "b": {"A": 1, "B": 3}, "c": {"A": 1, "B": 2}}
    ballots = {"a": Ballot(("A", "B"), {}), "b": Ballot(("B", "A"), {}), "c": Ballot(("B", "A"), {})}
    assert tally(slates, ballots) == {1: 0.0, 2: 1.0, 3: 0.5}


@given(votes(), st.randoms())
def test_who_voted_does_not_matter(cast, rng):
    slates, ballots = cast
    names = sorted(slates)
    other = dict(zip(names, rng.sample(names, len(names)), strict=True))
    renamed = tally({other[n]: s for n, s in slates.items()}, {other[n]: b for n, b in ballots.items()})
    assert renamed == pytest.approx(tally(slates, ballots))


@given(votes(), st.randoms())
def test_the_names_of_proposals_do_not_matter(cast, rng):
    slates, ballots = cast
    ids = sorted({p for s in slates.values() for p in s.values()})
    other = dict(zip(ids, rng.sample(range(100, 200), len(ids)), strict=True))
    renamed = tally({n: {k: other[p] for k, p in s.items()} for n, s in slates.items()}, ballots)
    assert renamed == {other[p]: score for p, score in tally(slates, ballots).items()}


@given(votes())
def test_scores_are_shares_of_everything_that_was_shown(cast):
    slates, ballots = cast
    scores = tally(slates, ballots)
    assert set(scores) == {p for s in slates.values() for p in s.values()}
    assert all(0 <= score <= 1 for score in scores.values())


@given(votes(), st.data())
def test_a_proposal_that_is_moved_up_never_loses(cast, data):
    slates, ballots = cast
    name = data.draw(st.sampled_from(sorted(ballots)))
    ranking = list(ballots[name].ranking)
    at = data.draw(st.integers(0, len(ranking) - 1))
    before = tally(slates, ballots)
    raised = ranking.pop(at)
    ranking.insert(max(0, at - 1), raised)
    after = tally(slates, {**ballots, name: Ballot(tuple(ranking), {})})
    assert after[slates[name][raised]] >= before[slates[name][raised]] - 1e-12


def test_a_judge_with_one_label_says_nothing_about_it():
    assert tally({"a": {"A": 4}}, {"a": Ballot(("A",), {"A": 0.9})}) == {4: 0.0}


def test_nothing_to_count_gives_no_scores():
    assert tally({}, {}) == {} and tally({"a": {}}, {"a": Ballot((), {})}) == {}
    assert tally({"a": {"A": 4, "B": 5}}, {}) == {4: 0.0, 5: 0.0}, "shown and not voted on"


def test_equal_scores_stand_in_the_order_of_their_hashes():
    tie = {1: "c", 2: "a", 3: "b", 4: "0"}
    assert judge.order({1: 0.5, 2: 0.5, 3: 0.9, 4: 0.1}, tie.__getitem__) == (3, 2, 1, 4)


def test_every_rule_that_can_be_named_is_there():
    for name in judge.RULES:
        assert callable(judge.rule(name))
