"""The rule `forecast`: worked numbers, standardising, learning, rebuilding."""

from __future__ import annotations

import random

import numpy as np
import pytest

from council.judge import forecast
from council.judge.forecast import Forecast, Round, Running


def given(judge: str, proposal: int, p: float, author: str) -> Forecast:
    return Forecast(judge, proposal, p, judge == author)


def night(rounds: int, seed: int = 1) -> list[Round]:
    """Rounds of three members that all vote, now and then with a forecast missing and a runner-up settled late."""
    rng = random.Random(seed)
    names, done, last = ("a", "b", "c"), [], None
    for n in range(rounds):
        authors = {10 * n + i: name for i, name in enumerate(names)}
        cast = [
            given(j, p, rng.random(), authors[p])
            for j in names
            for p in authors
            if rng.random() < 0.9 or authors[p] == j
        ]
        settled = [(rng.choice(list(authors)), rng.uniform(-2, 3))]
        if last is not None and rng.random() < 0.3:
            settled.append((last, rng.uniform(-2, 3)))
        last = min(authors)
        done.append(Round(authors, cast, settled))
    return done


WORKED = {0: "a", 1: "b", 2: "c"}
WORKED_FORECASTS = [
    *(given("a", p, f, WORKED[p]) for p, f in enumerate((0.6, 0.3, 0.5))),
    *(given("b", p, f, WORKED[p]) for p, f in enumerate((0.4, 0.7, 0.2))),
    *(given("c", p, f, WORKED[p]) for p, f in ((1, 0.5), (2, 0.8))),
]


def test_the_worked_round_scores_as_written() -> None:
    scored = forecast.score(forecast.start("abc", "abc"), WORKED, WORKED_FORECASTS)
    assert scored.scores == pytest.approx({0: -0.65436, 1: -0.73709, 2: -0.67327}, abs=5e-6)
    assert max(scored.scores, key=scored.scores.__getitem__) == 0
    assert scored.phis[0] == pytest.approx((1, -0.15046, -0.46698, -0.30872, 1, 0, 0), abs=5e-6)


def test_running_statistics_start_with_five_pseudo_values() -> None:
    assert (Running().mean, Running().sd) == pytest.approx((0.4, 0.8))
    one = Running(1, 1.0, 1.0)
    assert one.mean == pytest.approx((5 * 0.4 + 1) / 6)
    assert one.sd == pytest.approx(np.sqrt((5 * (0.64 + 0.16) + 1) / 6 - one.mean**2))
    assert one.own_mean == pytest.approx(one.mean + 0.5 * one.sd)


def test_a_judge_that_hardly_varies_keeps_a_floor_under_its_spread() -> None:
    assert Running(10_000, 4000.0, 1600.0).sd == pytest.approx(np.sqrt(0.05))


def test_what_nobody_forecast_stands_at_nought() -> None:
    scored = forecast.score(forecast.start("ab", "abx"), {7: "x"}, [])
    assert scored.phis[7] == (1, 0, 0, 0, 0, 1)


def test_an_author_who_joined_later_has_no_coefficient() -> None:
    scored = forecast.score(forecast.start("ab", "ab"), {7: "late"}, [given("a", 7, 0.5, "late")])
    assert scored.phis[7][3:] == (0, 0)
    assert scored.state.proposals == (0, 0)


def test_forecasts_are_clipped_and_so_are_their_standardised_values() -> None:
    assert forecast.logit(0.0) == forecast.logit(0.02) and forecast.logit(1.0) == forecast.logit(0.98)
    assert forecast.standardise(Running(), Forecast("a", 1, 1.0, False)) == 3.0
    assert forecast.standardise(Running(), Forecast("a", 1, 0.0, False)) == -3.0


@pytest.mark.parametrize(("sigmas", "r"), [(None, -2.0), (-5.0, -2.0), (0.4, 0.4), (7.0, 3.0)])
def test_what_a_measurement_settles_at(sigmas: float | None, r: float) -> None:
    assert forecast.outcome(sigmas) == r


def test_settling_is_the_conjugate_update() -> None:
    state = forecast.start("a", "a")
    after = forecast.settle(state, (1.0, 0.5, 1.0), 1.5)
    x = np.array([1.0, 0.5, 1.0])
    precision = np.diag([1 / 1.0, 1 / 0.15**2, 1 / 0.3**2]) + np.outer(x, x) / 2.25
    weighted = np.array([-0.5, 0.5 / 0.15**2, 0.0]) + x * 1.5 / 2.25
    assert np.allclose(after.mean, np.linalg.solve(precision, weighted), rtol=0, atol=1e-12)
    assert np.allclose(after.cov, np.linalg.inv(precision), rtol=0, atol=1e-12)
    assert state.settled == 0 and after.settled == 1


def test_settling_a_gain_raises_the_next_score_of_the_same_features() -> None:
    first = forecast.score(forecast.start("abc", "abc"), WORKED, WORKED_FORECASTS)
    won = forecast.settle(first.state, first.phis[0], 3.0)
    lost = forecast.settle(first.state, first.phis[0], -2.0)
    assert float(np.dot(first.phis[0], won.mean)) > first.scores[0] > float(np.dot(first.phis[0], lost.mean))


@pytest.mark.parametrize("seed", range(3))
def test_the_rebuilt_state_is_the_incremental_one(seed: int) -> None:
    rounds = night(12, seed)
    state, phis, scores = forecast.start("abc", "abc"), {}, {}
    for one in rounds:
        scored = forecast.score(state, one.authors, one.forecasts)
        phis |= scored.phis
        scores |= scored.scores
        state = scored.state
        for proposal, r in one.settled:
            state = forecast.settle(state, phis[proposal], r)
    shuffled = [
        Round(
            dict(reversed(one.authors.items())),
            random.Random(seed).sample(list(one.forecasts), len(one.forecasts)),
            one.settled,
        )
        for one in rounds
    ]
    rebuilt = forecast.rebuild("cab", "bca", shuffled)
    assert rebuilt.state == state
    assert rebuilt.phis == phis and rebuilt.scores == scores
    assert rebuilt.state != forecast.rebuild("abc", "abc", rounds[:-1]).state


def test_scoring_and_settling_leave_the_state_they_were_given_alone() -> None:
    state = forecast.start("abc", "abc")
    before = state.precision.copy(), state.weighted.copy(), state.features.copy()
    forecast.settle(forecast.score(state, WORKED, WORKED_FORECASTS).state, (1.0,) * 7, 1.0)
    assert all(
        np.array_equal(a, b) for a, b in zip(before, (state.precision, state.weighted, state.features), strict=True)
    )


def test_the_next_session_starts_from_weights_and_skills_but_not_from_the_level() -> None:
    old = forecast.rebuild("abc", "abc", night(30)).state
    new = forecast.start("bcd", "bcd", forecast.carry(old))
    assert new.mean[0] == pytest.approx(-0.5) and new.cov[0, 0] == pytest.approx(1.0)
    assert np.allclose(new.cov[0, 1:], 0)
    assert new.mean[1:4] == pytest.approx([old.mean[2], old.mean[3], 0.5 / 3])
    assert new.mean[4:] == pytest.approx([old.mean[5], old.mean[6], 0.0])
    assert new.cov[1, 2] == pytest.approx(old.cov[2, 3]) and new.cov[1, 4] == pytest.approx(old.cov[2, 5])
    assert new.cov[3, 3] == pytest.approx(0.15**2) and np.allclose(np.delete(new.cov[3], 3), 0)
    assert new.running == (Running(),) * 3 and new.settled == 0
