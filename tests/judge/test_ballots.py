"""Ballots: what cannot be counted, where forecasts rise, and the fit that mends them."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from council.judge import ballots
from council.judge.slates import label
from council.types import Ballot

FORECASTS = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def ballot(forecasts: list[float]) -> Ballot:
    labels = tuple(label(i) for i in range(len(forecasts)))
    return Ballot(labels, dict(zip(labels, forecasts, strict=True)))


def values(one: Ballot) -> list[float]:
    return [one.forecasts[name] for name in one.ranking]


@pytest.mark.parametrize(
    ("ranking", "forecasts", "said"),
    [
        (("A",), {"A": 0.5, "B": 0.5}, "exactly once; it names A"),
        ((), {}, "it names none"),
        (("A", "A"), {"A": 0.5, "B": 0.5}, "exactly once"),
        (("A", "B", "C"), {"A": 0.5, "B": 0.5}, "exactly once"),
        (("A", "B"), {"A": 0.5}, "one forecast for each of A, B"),
        (("A", "B"), {"A": 0.5, "B": 0.5, "C": 0.5}, "one forecast for each of A, B"),
        (("A", "B"), {"A": 1.5, "B": 0.5}, "between 0 and 1: {'A': 1.5}"),
        (("A", "B"), {"A": 0.5, "B": -0.1}, "between 0 and 1"),
        (("A", "B"), {"A": math.nan, "B": 0.5}, "between 0 and 1"),
        (("A", "B"), {"A": "high", "B": 0.5}, "between 0 and 1"),
        (("A", "B"), {"A": None, "B": 0.5}, "between 0 and 1"),
    ],
)
def test_a_ballot_that_cannot_be_counted_says_why(ranking, forecasts, said):
    assert said in ballots.fault(Ballot(ranking, forecasts), ["A", "B"])


@given(FORECASTS)
def test_a_complete_ballot_has_no_fault(forecasts):
    one = ballot(forecasts)
    assert ballots.fault(one, sorted(one.ranking)) == ""


@given(FORECASTS)
def test_rising_is_said_exactly_when_a_lower_place_has_a_higher_forecast(forecasts):
    rising = any(low > high for high, low in pairwise(forecasts))
    assert bool(ballots.rises(ballot(forecasts))) == rising


def test_rising_names_the_two_labels():
    said = ballots.rises(Ballot(("B", "A"), {"A": 0.7, "B": 0.2}))
    assert said == "B is ranked above A, but its forecast 0.2 is below 0.7"


@given(FORECASTS)
def test_a_mended_ballot_never_rises_and_keeps_its_ranking(forecasts):
    one = ballot(forecasts)
    mended = ballots.mend(one)
    assert mended.ranking == one.ranking
    assert ballots.rises(mended) == "" and ballots.fault(mended, sorted(one.ranking)) == ""


@given(FORECASTS)
def test_a_ballot_that_does_not_rise_is_only_clipped(forecasts):
    ordered = sorted((min(max(p, ballots.EDGE), 1 - ballots.EDGE) for p in forecasts), reverse=True)
    assert values(ballots.mend(ballot(ordered))) == pytest.approx(ordered, rel=1e-9)


@given(FORECASTS)
def test_mending_twice_changes_nothing(forecasts):
    once = ballots.mend(ballot(forecasts))
    assert values(ballots.mend(once)) == pytest.approx(values(once), rel=1e-9)


@given(FORECASTS)
def test_the_fit_is_the_nearest_that_never_rises(forecasts):
    """Against the max-min formula of isotonic regression, which shares no code with pooling."""
    logits = [math.log(p / (1 - p)) for p in (min(max(p, ballots.EDGE), 1 - ballots.EDGE) for p in forecasts)]
    n = len(logits)

    def mean(i: int, j: int) -> float:
        return sum(logits[i : j + 1]) / (j + 1 - i)

    expected = [min(max(mean(i, j) for j in range(k, n)) for i in range(k + 1)) for k in range(n)]
    fitted = [math.log(p / (1 - p)) for p in values(ballots.mend(ballot(forecasts)))]
    assert fitted == pytest.approx(expected, abs=1e-6)


def test_two_that_rise_meet_at_the_mean_of_their_logits():
    assert values(ballots.mend(ballot([0.2, 0.8]))) == pytest.approx([0.5, 0.5])
    assert values(ballots.mend(ballot([0.9, 0.2, 0.8]))) == pytest.approx([0.9, 0.5, 0.5])
