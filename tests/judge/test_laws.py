"""Laws that every rule keeps, whatever the ballots. What learns over rounds has its laws in `test_laws_learning.py`."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from council import judge
from council.judge import borda, forecast, schulze
from council.judge.forecast import Forecast
from council.types import Ballot

Slates = dict[str, dict[str, int]]
Ballots = dict[str, Ballot]
Tally = Callable[[Slates, Ballots], dict[int, float]]

RANKED: dict[str, Tally] = {"borda": borda.tally, "schulze": schulze.tally}
"""Rules that read rankings only."""


def by_forecast(slates: Slates, ballots: Ballots) -> dict[int, float]:
    """The rule `forecast` on a first round, on the same ballots; one outsider wrote all the proposals."""
    ids = sorted({p for labels in slates.values() for p in labels.values()})
    cast = [Forecast(j, slates[j][k], p, False) for j, b in ballots.items() for k, p in b.forecasts.items()]
    state = forecast.start(slates, ["author"])
    return forecast.score(state, dict.fromkeys(ids, "author"), cast).scores


ALL = {**RANKED, "forecast": by_forecast}


@st.composite
def votes(draw: st.DrawFn, full: bool = False, candidates: int = 5) -> tuple[Slates, Ballots]:
    """Slates over up to five proposals, with own left out unless `full`; some judges abstain; forecasts fall."""
    ids = list(range(1, draw(st.integers(2, candidates)) + 1))
    slates: Slates = {}
    ballots: Ballots = {}
    for n in range(draw(st.integers(0, 6))):
        own = None if full else draw(st.sampled_from([None, *ids]))
        seen = draw(st.permutations([p for p in ids if p != own]))
        name = f"judge{n}"
        slates[name] = {chr(65 + i): p for i, p in enumerate(seen)}
        if draw(st.integers(0, 9)):
            ranking = draw(st.permutations(list(slates[name])))
            falling = sorted(
                draw(st.lists(st.integers(0, 20), min_size=len(ranking), max_size=len(ranking))), reverse=True
            )
            ballots[name] = Ballot(tuple(ranking), {k: x / 20 for k, x in zip(ranking, falling, strict=True)})
    return slates, ballots


def close(a: dict[int, float], b: dict[int, float]) -> bool:
    return set(a) == set(b) and all(math.isclose(a[p], b[p], abs_tol=1e-9) for p in a)


@pytest.mark.parametrize("rule", ALL)
@given(votes(), st.randoms(use_true_random=False))
def test_names_of_judges_do_not_matter(rule: str, cast: tuple[Slates, Ballots], rng: random.Random) -> None:
    slates, ballots = cast
    renamed = dict(zip(slates, rng.sample([f"other{i}" for i in range(len(slates))], len(slates)), strict=True))
    again = ALL[rule]({renamed[j]: s for j, s in slates.items()}, {renamed[j]: b for j, b in ballots.items()})
    assert close(again, ALL[rule](slates, ballots))


@pytest.mark.parametrize("rule", ALL)
@given(votes(), st.randoms(use_true_random=False))
def test_numbers_of_proposals_do_not_matter(rule: str, cast: tuple[Slates, Ballots], rng: random.Random) -> None:
    slates, ballots = cast
    new = dict(zip(range(1, 6), rng.sample(range(100, 200), 5), strict=True))
    again = ALL[rule]({j: {k: new[p] for k, p in s.items()} for j, s in slates.items()}, ballots)
    assert close(again, {new[p]: x for p, x in ALL[rule](slates, ballots).items()})


@pytest.mark.parametrize("rule", ALL)
@given(votes(), st.randoms(use_true_random=False))
def test_labels_and_the_order_of_rows_do_not_matter(
    rule: str, cast: tuple[Slates, Ballots], rng: random.Random
) -> None:
    slates, ballots = cast
    relabelled, again = {}, {}
    for j in rng.sample(list(slates), len(slates)):
        new = dict(zip(slates[j], rng.sample("PQRSTU", len(slates[j])), strict=True))
        relabelled[j] = {new[k]: p for k, p in slates[j].items()}
        if j in ballots:
            b = ballots[j]
            again[j] = Ballot(tuple(new[k] for k in b.ranking), {new[k]: x for k, x in b.forecasts.items()})
    assert close(ALL[rule](relabelled, again), ALL[rule](slates, ballots))


@pytest.mark.parametrize("rule", RANKED)
@given(votes(full=True), st.data())
def test_what_all_rank_first_wins_alone(rule: str, cast: tuple[Slates, Ballots], data: st.DataObject) -> None:
    slates, ballots = cast
    best = data.draw(st.sampled_from(sorted({p for s in slates.values() for p in s.values()} or {1})))
    for j, b in list(ballots.items()):
        first = next(k for k, p in slates[j].items() if p == best)
        ballots[j] = Ballot((first, *(k for k in b.ranking if k != first)), b.forecasts)
    scores = RANKED[rule](slates, ballots)
    assert not ballots or all(scores[best] > x for p, x in scores.items() if p != best)


@given(votes(full=True), st.data())
def test_what_all_forecast_higher_wins_on_forecasts(cast: tuple[Slates, Ballots], data: st.DataObject) -> None:
    slates, ballots = cast
    best = data.draw(st.sampled_from(sorted({p for s in slates.values() for p in s.values()} or {1})))
    for j, b in list(ballots.items()):
        lowered = {k: 0.95 if slates[j][k] == best else min(x, 0.9) for k, x in b.forecasts.items()}
        ballots[j] = Ballot(b.ranking, lowered)
    scores = by_forecast(slates, ballots)
    assert not ballots or all(scores[best] > x for p, x in scores.items() if p != best)


@given(votes())
def test_schulze_elects_the_condorcet_winner(cast: tuple[Slates, Ballots]) -> None:
    slates, ballots = cast
    support, scores = schulze.pairwise(slates, ballots), schulze.tally(slates, ballots)
    for p in scores:
        if all(support.get((p, q), 0) > support.get((q, p), 0) for q in scores if q != p):
            assert all(scores[p] > x for q, x in scores.items() if q != p)


@pytest.mark.parametrize("rule", ["borda", "schulze"])
@given(votes())
def test_an_abstention_counts_as_an_absence_but_for_what_only_it_saw(rule: str, cast: tuple[Slates, Ballots]) -> None:
    slates, ballots = cast
    present = {j: s for j, s in slates.items() if j in ballots}
    without = RANKED[rule](present, ballots)
    with_ = RANKED[rule](slates, ballots)
    assert sorted(without, key=lambda p: (-without[p], p)) == [
        p for p in sorted(with_, key=lambda p: (-with_[p], p)) if p in without
    ]
    assert all(with_[p] == 0 for p in set(with_) - set(without))


@given(votes(), st.floats(0, 1))
def test_a_judge_of_weight_nought_counts_as_absent(cast: tuple[Slates, Ballots], p: float) -> None:
    slates, ballots = cast
    ids = sorted({p for labels in slates.values() for p in labels.values()})
    said = [Forecast(j, slates[j][k], x, False) for j, b in ballots.items() for k, x in b.forecasts.items()]
    late = [Forecast("joined later", i, p, False) for i in ids]
    state = forecast.start(slates, ["author"])
    authors = dict.fromkeys(ids, "author")
    alone, both = forecast.score(state, authors, said), forecast.score(state, authors, [*late, *said])
    assert alone.scores == both.scores and alone.phis == both.phis and alone.state == both.state


@pytest.mark.parametrize("rule", ALL)
def test_without_a_ballot_all_are_equal(rule: str) -> None:
    scores = ALL[rule]({"a": {"A": 1, "B": 2}, "b": {"A": 2, "B": 1}}, {})
    assert set(scores) == {1, 2} and scores[1] == scores[2]


def tie(seed: str, round_: int) -> Callable[[int], str]:
    """The recorded draw: SHA-256 over canonical JSON."""
    return lambda p: hashlib.sha256(json.dumps([seed, round_, p], separators=(",", ":")).encode()).hexdigest()


@given(
    st.text(max_size=8),
    st.integers(0, 99),
    st.dictionaries(st.integers(1, 50), st.sampled_from([0.0, 0.5, 1.0]), max_size=8),
)
def test_ties_are_decided_by_the_recorded_seed_alone(seed: str, round_: int, scores: dict[int, float]) -> None:
    found = judge.order(scores, tie(seed, round_))
    assert judge.order(dict(reversed(scores.items())), tie(seed, round_)) == found
    assert [scores[p] for p in found] == sorted(scores.values(), reverse=True)
    for a, b in zip(found, found[1:], strict=False):
        assert scores[a] > scores[b] or tie(seed, round_)(a) < tie(seed, round_)(b)


def test_no_proposal_is_favoured_by_ties() -> None:
    firsts = [judge.order({1: 0.0, 2: 0.0, 3: 0.0}, tie("night", n))[0] for n in range(600)]
    assert all(150 <= firsts.count(p) <= 250 for p in (1, 2, 3))  # 200 ± 4.3 standard deviations
