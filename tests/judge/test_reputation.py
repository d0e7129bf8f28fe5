"""Reputation and meters: intervals, ranks, calibration, and what bends the votes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from council.judge import forecast, meters, reputation
from council.judge.forecast import Forecast, Round, State
from council.judge.reputation import Interval

NAMES = ("a", "b", "c")


def proposers_state(settled: int, gains: dict[str, float], seed: int = 0, noise: float = 1.0) -> State:
    """A night without ballots in which members propose and run in turn, each with its own mean r."""
    rng = np.random.default_rng(seed)
    state = forecast.start((), NAMES)
    for n in range(settled):
        scored = forecast.score(state, {3 * n + i: m for i, m in enumerate(NAMES)}, [])
        pick = 3 * n + n % 3
        state = forecast.settle(scored.state, scored.phis[pick], gains[NAMES[n % 3]] + noise * rng.standard_normal())
    return state


def judged_state(settled: int, weights: tuple[float, float], seed: int = 0) -> State:
    """Two judges that never propose; r is the weighted sum of their signals and noise of SD 1."""
    rng = np.random.default_rng(seed)
    state = forecast.start(("a", "b"), ("a", "b", "x"))
    for n in range(settled):
        signal = rng.standard_normal(2)
        cast = [Forecast(j, n, 1 / (1 + math.exp(-x)), False) for j, x in zip("ab", signal, strict=True)]
        scored = forecast.score(state, {n: "x"}, cast)
        state = forecast.settle(scored.state, scored.phis[n], float(signal @ weights) + rng.standard_normal())
    return state


def test_skills_are_against_the_councils_mean_and_sum_to_nought() -> None:
    found = reputation.proposers(proposers_state(30, {"a": 1.0, "b": 0.0, "c": -1.0}), seed=1)
    assert sum(s.skill.value for s in found) == pytest.approx(0, abs=1e-12)
    assert [s.member for s in found] == ["a", "b", "c"]
    assert sum(s.p_best for s in found) == pytest.approx(1)


def test_the_interval_of_a_skill_is_that_of_its_contrast() -> None:
    state = proposers_state(30, {"a": 1.0, "b": 0.0, "c": -1.0})
    skill = next(s for s in reputation.proposers(state, seed=1) if s.member == "b")
    contrast = np.array([0, -1 / 3, 2 / 3, -1 / 3])
    half = 1.645 * math.sqrt(contrast @ state.cov @ contrast)
    assert skill.skill.value == pytest.approx(contrast @ state.mean)
    assert (skill.skill.high - skill.skill.value, skill.skill.value - skill.skill.low) == pytest.approx((half, half))
    assert skill.proposals == 30


def test_members_without_a_proposal_are_not_ranked() -> None:
    state = forecast.start((), ("a", "b"))
    assert reputation.proposers(state, seed=1) == [] and reputation.separation(state) is None
    state = forecast.score(state, {1: "a"}, []).state
    assert [(s.member, s.p_best) for s in reputation.proposers(state, seed=1)] == [("a", 1.0)]


def test_ranks_are_ranges_where_intervals_overlap() -> None:
    found = [Interval(2, 1.5, 2.5), Interval(1, 0.5, 1.6), Interval(0.4, 0, 0.8), Interval(-3, -4, -2)]
    assert reputation.rank_ranges(found) == [(1, 2), (1, 3), (2, 3), (4, 4)]


def test_before_anything_is_settled_everyone_may_hold_every_rank() -> None:
    found = reputation.proposers(proposers_state(0, {}), seed=1)
    assert not found
    state = forecast.score(forecast.start((), NAMES), {1: "a", 2: "b", 3: "c"}, []).state
    found = reputation.proposers(state, seed=1)
    assert {(s.rank_low, s.rank_high) for s in found} == {(1, 3)}
    assert [s.p_best for s in found] == pytest.approx([1 / 3] * 3, abs=0.02)


def test_the_chance_of_being_best_repeats_with_its_seed_and_follows_the_normal_draws() -> None:
    state = proposers_state(40, {"a": 0.6, "b": 0.0, "c": -6.0})
    first, again = (reputation.proposers(state, seed=7) for _ in range(2))
    assert first == again
    c = np.array([0.0, 1, -1, 0])
    z = float(c @ state.mean) / math.sqrt(c @ state.cov @ c)
    assert next(s.p_best for s in first if s.member == "a") == pytest.approx(0.5 * (1 + math.erf(z / 2**0.5)), abs=0.02)


def test_two_members_that_are_apart_need_no_more_rounds() -> None:
    found = reputation.separation(proposers_state(300, {"a": 1.0, "b": -1.0, "c": -1.5}))
    assert found is not None and (found.first, found.more) == ("a", 0) and found.difference.low > 0


def test_the_rounds_still_needed_are_those_it_takes_without_chance() -> None:
    def after(n: int) -> int:
        found = reputation.separation(proposers_state(n, {"a": 0.25, "b": 0.0, "c": -0.5}, noise=0.0))
        assert found is not None and found.more is not None
        return found.more

    early = after(60)
    assert early > 100
    assert after(60 + round(0.8 * early)) > 0 and after(60 + round(1.2 * early)) == 0


@pytest.mark.parametrize("difference", [0.0, 1e-300, 1e-17, 1e-9])
def test_members_that_do_not_differ_are_not_said_to_be_apart_ever(difference: float) -> None:
    state = forecast.start((), ("a", "b"))
    for n in range(8):
        scored = forecast.score(state, {2 * n: "a", 2 * n + 1: "b"}, [])
        state = forecast.settle(scored.state, scored.phis[2 * n + n % 2], difference if n % 2 == 0 else 0.0)
    found = reputation.separation(state)
    assert found is not None and found.more is None


def test_nothing_settled_says_nothing_of_when() -> None:
    state = forecast.score(forecast.start((), NAMES), {1: "a", 2: "b", 3: "c"}, []).state
    found = reputation.separation(state)
    assert found is not None and found.more is None


def test_judges_help_only_while_the_interval_of_their_sum_lies_above_nought() -> None:
    good, useless, harmful = (judged_state(150, w) for w in ((0.6, 0.4), (0.0, 0.0), (-0.7, -0.7)))
    assert reputation.judges(good).helping
    assert not reputation.judges(useless).helping
    assert not reputation.judges(harmful).helping


def test_the_interval_of_the_sum_knows_the_covariance() -> None:
    state = judged_state(50, (0.6, 0.4))
    found = reputation.judges(state)
    assert found.total.value == pytest.approx(sum(w.value for w in found.weights.values()))
    variance = state.cov[1:3, 1:3].sum()
    assert found.total.high - found.total.low == pytest.approx(2 * 1.645 * math.sqrt(variance))


def test_before_any_settlement_the_sceptic_is_not_convinced_where_the_prior_is() -> None:
    found = reputation.judges(forecast.start(NAMES, NAMES))
    assert found.total.value == pytest.approx(0.5)
    assert found.total.value - found.total.low == pytest.approx(1.645 * 0.15 * math.sqrt(3))
    assert found.helping and not found.shown
    assert found.sceptic.value == pytest.approx(0, abs=1e-12)


def test_the_sceptic_is_a_rule_that_started_without_hope() -> None:
    state = judged_state(80, (0.6, 0.4))
    precision = np.linalg.inv(np.diag([1.0, 0.15**2, 0.15**2, 0.09, 0.09, 0.09]))
    assert np.allclose(precision, state.prior)
    weighted = (
        state.weighted
        - state.prior @ np.array([-0.5, 0.25, 0.25, 0, 0, 0])
        + precision @ np.array([-0.5, 0, 0, 0, 0, 0])
    )
    assert reputation.judges(state).sceptic.value == pytest.approx(
        np.linalg.solve(state.precision, weighted)[1:3].sum()
    )
    assert reputation.judges(state).shown


def test_the_sceptic_rarely_believes_in_useless_judges() -> None:
    assert sum(reputation.judges(judged_state(60, (0.0, 0.0), seed)).shown for seed in range(100)) <= 10


def test_brier_stands_beside_that_of_the_base_rate() -> None:
    found = reputation.calibration([(0.9, 1, 0.4), (0.2, 0, 0.4), (1.0, 0, 0.4)])
    assert found is not None
    assert found.brier == pytest.approx((0.01 + 0.04 + 1) / 3)
    assert found.base == pytest.approx((0.36 + 0.16 + 0.16) / 3)
    assert [(b.low, b.n) for b in found.bins] == [(0.2, 1), (0.8, 2)]
    assert found.bins[-1].stated == pytest.approx(0.95) and found.bins[-1].came.value == 0.5
    assert reputation.calibration([]) is None


def test_the_interval_of_a_share_stays_inside_nought_and_one() -> None:
    none, half = reputation.wilson(0, 4), reputation.wilson(50, 100)
    assert none.low == pytest.approx(0, abs=1e-15) and 0 < none.high < 1
    assert (half.low, half.high) == pytest.approx((0.4191, 0.5809), abs=5e-4)


def test_a_preference_for_the_first_place_is_seen() -> None:
    rng = np.random.default_rng(3)
    logits = rng.standard_normal((120, 4)) + np.array([0.6, 0, 0, 0])
    bent = meters.position((1 / (1 + np.exp(-logits))).tolist())
    assert bent.first.shown and bent.first.value == pytest.approx(0.6, abs=0.3)
    assert bent.slope.value is not None and bent.slope.value < 0
    straight = meters.position((1 / (1 + np.exp(-(logits - np.array([0.6, 0, 0, 0]))))).tolist())
    assert not straight.first.shown
    assert meters.position([[0.5], []]).first.n == 0


def liking(own: float, seed: int = 4, rounds: int = 60) -> list[Round]:
    """Three judges with different optimism; `a` puts its own `own` logits higher."""
    rng = np.random.default_rng(seed)
    done = []
    for n in range(rounds):
        authors = {3 * n + i: name for i, name in enumerate(NAMES)}
        cast = [
            Forecast(j, p, 1 / (1 + math.exp(-(level + own * (j == "a" == by) + 0.4 * rng.standard_normal()))), j == by)
            for j, level in zip(NAMES, (0.8, 0.0, -0.5), strict=True)
            for p, by in authors.items()
        ]
        done.append(Round(authors, cast))
    return done


def test_self_preference_is_told_from_optimism() -> None:
    found = meters.self_preference(liking(1.0))
    assert found["a"].value == pytest.approx(1.0, abs=0.3) and found["a"].shown
    none = meters.self_preference(liking(0.0))
    assert none["a"].n == 60 and abs(none["a"].value or 0) < 0.3


def thinking(shared: float, seed: int = 5, proposals: int = 150) -> tuple[list[Forecast], dict[int, float]]:
    """Four judges that see r with errors of which a share is common."""
    rng = np.random.default_rng(seed)
    cast, settled = [], {}
    for p in range(proposals):
        settled[p], common = float(rng.standard_normal()), rng.standard_normal()
        for j in "abcd":
            x = 0.4 * settled[p] + math.sqrt(shared) * common + math.sqrt(1 - shared) * rng.standard_normal()
            cast.append(Forecast(j, p, 1 / (1 + math.exp(-x)), False))
    return cast, settled


@pytest.mark.parametrize("shared", [0.0, 0.3, 0.9])
def test_judges_that_share_their_errors_are_worth_fewer(shared: float) -> None:
    found = meters.independence(*thinking(shared), seed=1, draws=200)
    assert found.effective is not None and found.correlation is not None
    assert found.correlation.low - 0.05 <= shared <= found.correlation.high + 0.05
    assert found.effective.value == pytest.approx(4 / (1 + 3 * shared), abs=0.5)
    assert found.effective.low <= found.effective.value <= found.effective.high


def test_agreeing_with_the_outcome_is_not_a_shared_error() -> None:
    rng = np.random.default_rng(6)
    settled = {p: float(rng.standard_normal()) for p in range(150)}
    cast = [
        Forecast(j, p, 1 / (1 + math.exp(-(2 * r + 0.3 * rng.standard_normal()))), False)
        for p, r in settled.items()
        for j in "ab"
        if abs(r) < 1.5
    ]
    found = meters.independence(cast, settled, seed=1, draws=100)
    assert found.correlation is not None and abs(found.correlation.value) < 0.25


def test_one_judge_or_too_few_proposals_have_no_independence() -> None:
    cast, settled = thinking(0.3, proposals=4)
    assert meters.independence(cast, settled, seed=1).effective is None
    assert meters.independence([f for f in cast if f.judge == "a"], settled, seed=1).effective is None


def test_regret_is_what_runner_ups_had_over_their_picks() -> None:
    found = meters.regret([(0.0, 1.0), (1.0, 0.5), (-2.0, -1.0)])
    assert found.lost.value == pytest.approx(0.5) and found.share == pytest.approx(2 / 3)
    assert found.lost.interval is not None and not found.lost.shown
    assert meters.regret([]).share is None
    assert meters.regret([(0.0, 1.0)]).lost.interval is None
