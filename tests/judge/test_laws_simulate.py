"""The simulated council is the council: arrays of nights do exactly what the pure functions do to each night."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from council import simulate, simulate_table
from council.judge import book, borda, closing, forecast, schulze
from council.judge.forecast import Forecast
from council.judge.reputation import judges, proposers
from council.simulate import Figure
from council.simulate_night import Books, Nights, expected_r, play
from council.simulate_picks import choose
from council.simulate_world import DEFAULT, WORLDS, Draws, World, draw, forecasts, gains, phi
from council.types import Ballot, Kind

NAMES = tuple("abcde")
SHORT = replace(DEFAULT, rounds=25)
NIGHTS = 4


def alone(world: World, draws: Draws, nights: Nights, at: int) -> forecast.State:
    """Replay night `at` through the pure functions, comparing after every round; returns the rule's last state."""
    runs = [float(world.sigma * x) for x in draws.base[at]]
    sigma2 = book.pooled_variance(world.sigma, [runs])
    now, state = book.start("base", runs, sigma2), forecast.start(NAMES, NAMES)
    for told in nights.trace:
        stated = told["stated"][at]
        cast = [Forecast(j, p, float(stated[i, p]), i == p) for i, j in enumerate(NAMES) for p in range(5)]
        scored = forecast.score(state, dict(enumerate(NAMES)), cast)
        assert list(scored.scores.values()) == pytest.approx(list(told["scores"][at]), abs=1e-9)
        pick, y, sigmas = int(told["pick"][at]), float(told["y"][at]), None
        assert scored.scores[pick] == pytest.approx(max(scored.scores.values()), abs=1e-8)
        if not told["crash"][at]:
            judged = book.trial(now, sigma2, y, scored.scores[pick], "edit")
            sigmas = judged.verdict.sigmas
            assert (judged.verdict.kind is Kind.KEEP) == bool(told["kept"][at])
            now = book.back(judged.book, "base") or judged.book
        else:
            assert not told["kept"][at]
        assert (now.b, now.v) == pytest.approx((float(told["b"][at]), float(told["v"][at])), abs=1e-9)
        assert (now.commit == "base") == bool(told["baseline"][at])
        state = forecast.settle(scored.state, scored.phis[pick], forecast.outcome(sigmas))
    return state


@pytest.mark.parametrize("world", [SHORT, replace(DEFAULT, rounds=60, rate=0.0)], ids=["helpful", "barren"])
def test_a_simulated_night_is_the_night_of_the_pure_functions(world: World) -> None:
    draws = draw(world, NIGHTS, seed=14)
    nights = play(world, draws, skills=False, trace=True)
    seen = {"kept": False, "crash": False, "back": False}
    for at in range(NIGHTS):
        state = alone(world, draws, nights, at)
        found = judges(state)
        assert (found.helping, found.shown) == (bool(nights.helping[at]), bool(nights.shown[at]))
        for skill in proposers(state, seed=1, draws=10):
            i = NAMES.index(skill.member)
            assert skill.skill.value == pytest.approx(nights.skill[at, i], abs=1e-8)
            assert skill.skill.high - skill.skill.value == pytest.approx(nights.half[at, i], abs=1e-8)
        base = np.array([True, *(t["baseline"][at] for t in nights.trace)])
        seen["back"] |= bool((~base[:-1] & base[1:]).any())
        seen["kept"] |= any(t["kept"][at] for t in nights.trace)
        seen["crash"] |= any(t["crash"][at] for t in nights.trace)
    assert seen["kept"] and seen["crash"] and (seen["back"] or world.helps), "the nights went through every branch"


def test_a_simulated_closing_is_the_pure_one() -> None:
    draws = draw(SHORT, 12, seed=12)
    nights = play(SHORT, draws, skills=False)
    for at in range(12):
        runs = SHORT.sigma * draws.close[at]
        earlier = [list(SHORT.sigma * draws.base[at])]
        found = closing.close(runs[0], runs[1] - nights.gain[at], SHORT.sigma, earlier, closing.plan(3, 100))
        assert (found.gain, found.low) == pytest.approx((nights.published[at], nights.low[at]), abs=1e-12)
        assert bool(nights.confirmed[at]) == (found.confirmed and not nights.baseline[at])


@pytest.mark.parametrize("rule", [borda, schulze], ids=["borda", "schulze"])
def test_a_simulated_rule_is_the_pure_one(rule: ModuleType) -> None:
    rng = np.random.default_rng(5)
    signal, tie = rng.standard_normal((200, 5, 5)), rng.random((200, 5))
    picked = choose(rule.__name__.rpartition(".")[2], np.zeros((200, 5)), signal, np.full((200, 5, 5), 0.5), tie)
    by_path = choose(f"{rule.__name__}:tally", np.zeros((200, 5)), signal, np.full((200, 5, 5), 0.5), tie)
    assert np.array_equal(picked, by_path)
    for at in range(200):
        slates = {j: {n: p for p, n in enumerate(NAMES) if p != i} for i, j in enumerate(NAMES)}
        ballots = {}
        for i, j in enumerate(NAMES):
            ranking = sorted(slates[j], key=lambda label: -signal[at, i, slates[j][label]])  # noqa: B023
            ballots[j] = Ballot(tuple(ranking), {})
        scores = rule.tally(slates, ballots)
        assert scores[int(picked[at])] == pytest.approx(max(scores.values()))
        assert scores[int(picked[at])] > min(scores.values()) or len(set(scores.values())) == 1


def test_the_foil_books_what_it_measured_and_never_goes_back() -> None:
    draws = draw(SHORT, 30, seed=13)
    nights = play(SHORT, draws, verdict="raw", skills=False, trace=True)
    before = np.mean(draws.base, axis=1) * SHORT.sigma
    for told in nights.trace:
        assert np.array_equal(told["kept"], (told["y"] < before) & ~told["crash"])
        assert np.allclose(told["b"], np.where(told["kept"], told["y"], before))
        before = told["b"]


def test_the_same_seed_plays_the_same_nights() -> None:
    first, again = (play(SHORT, draw(SHORT, 20, seed=3)).gain for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, play(SHORT, draw(SHORT, 20, seed=4)).gain)


# The world is what its page says ------------------------------------------------------------------------------------


def test_members_help_as_often_and_as_much_as_documented() -> None:
    draws = draw(replace(DEFAULT, rounds=1), 20_000, seed=1)
    gain, crash = gains(DEFAULT, draws, 0, np.zeros(20_000))
    assert np.median(draws.rate) == pytest.approx(0.22, abs=0.01)
    assert crash.mean() == pytest.approx(0.05, abs=0.005)
    helpful = draws.kind[:, 0] < draws.rate
    assert gain[helpful].mean() == pytest.approx(1.8 * np.exp(0.02), abs=0.05)
    rest = gain[~helpful & ~crash]
    assert (np.abs(rest) < 0.6).mean() == pytest.approx(1 / 3 + 2 / 3 * phi(np.log(np.array(0.4))), abs=0.02)


def test_gains_tire_as_the_night_succeeds() -> None:
    draws = draw(replace(DEFAULT, rounds=1), 5000, seed=2)
    fresh, _ = gains(DEFAULT, draws, 0, np.zeros(5000))
    late, _ = gains(DEFAULT, draws, 0, np.full(5000, 20.0))
    helpful = draws.kind[:, 0] < draws.rate * np.exp(-0.5)
    assert np.allclose(late[helpful], fresh[helpful] * np.exp(-1))
    assert (late > 0.6).sum() < (fresh > 0.6).sum()


def test_judges_see_as_much_as_documented() -> None:
    world = replace(DEFAULT, rounds=1, insight=(0.4, 0.4))
    draws = replace(draw(world, 20_000, seed=3), own=np.zeros((20_000, 5)))
    truth = np.random.default_rng(1).standard_normal((20_000, 5))
    signal, stated = forecasts(world, draws, 0, truth)
    assert np.corrcoef(signal[:, 0, 1], truth[:, 1])[0, 1] == pytest.approx(0.4, abs=0.02)
    errors = signal - 0.4 * truth[:, None, :]
    assert np.corrcoef(errors[:, 0, 2], errors[:, 1, 2])[0, 1] == pytest.approx(0.3, abs=0.03)
    assert np.allclose(stated * 20, np.round(stated * 20)) and stated.min() >= 0.05 and stated.max() <= 0.95


def test_insight_goes_with_skill_as_documented() -> None:
    draws = draw(replace(DEFAULT, rounds=1), 10_000, seed=4)
    skill, insight = (draws.rate * draws.size).ravel(), draws.insight.ravel()
    ranks = np.corrcoef(skill.argsort().argsort(), insight.argsort().argsort())[0, 1]
    assert ranks == pytest.approx(0.5, abs=0.02)
    assert insight.min() >= 0.15 and insight.max() <= 0.5 and insight.mean() == pytest.approx(0.325, abs=0.005)


def test_the_true_r_is_the_mean_of_what_settles() -> None:
    books = Books(np.zeros((1, 2)) + 0.3, 1.0)
    rng = np.random.default_rng(6)
    for gain in (-4.0, 0.0, 1.5, 6.0):
        r = np.clip((books.b + gain - rng.standard_normal(200_000)) / books.sigma, -2, 3)
        assert expected_r(DEFAULT, books, np.array([[gain]]))[0, 0] == pytest.approx(r.mean(), abs=0.01)


# What is told of it -------------------------------------------------------------------------------------------------


def test_the_promises_are_judged_by_their_worst_world_and_its_interval() -> None:
    good, null = (replace_report(w) for w in (WORLDS[0], next(w for w in WORLDS if w.nothing)))
    assert [f.state for f in simulate.findings([good, null])] == ["kept"] * 4
    doubtful = replace(good, ahead=Figure(-0.1, -0.3, 0.1), claims=Figure(0.2, 0.15, 0.25))
    found = simulate.findings([good, doubtful, null])
    assert [f.state for f in found] == ["open", "kept", "broken", "kept"]


def replace_report(world: World) -> simulate.Report:
    """A report that keeps every promise."""
    none = Figure(0.0, 0.0, 0.01)
    figures = dict.fromkeys(simulate.Report.__dataclass_fields__, none)
    rest = {"world": world, "nights": 100, "half": 0.3, "spread": 0.1, "ahead": Figure(1, 0.9, 1.1)}
    return simulate.Report(**{**figures, **rest, "covered": Figure(0.95, 0.94, 0.96)})  # type: ignore[arg-type]


def test_figures_have_the_intervals_they_claim() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0])
    assert simulate.mean(values).value == 2.5
    assert simulate.mean(values).high - 2.5 == pytest.approx(1.96 * np.std(values, ddof=1) / 2)
    none = simulate.share(np.zeros(400, dtype=bool))
    assert none.value == none.low == 0 and none.high == pytest.approx(3.84 / 403.84, abs=1e-4)
    both = simulate.ratio(np.array([1, 0, 2]), np.array([2, 2, 4]))
    assert both.value == pytest.approx(3 / 8) and both.low < 3 / 8 < both.high


def test_a_small_run_tells_every_world_in_both_tables() -> None:
    small = [replace(w, rounds=5) for w in (WORLDS[0], WORLDS[8])]
    heard: list[str] = []
    found = simulate.reports([(world, 20) for world in small], say=heard.append)
    text = simulate_table.table(found)
    assert heard == ["default", "null"] and [text.count(f"\n{name} ") for name in heard] == [2, 2]
    assert found[1].nights == 20 and found[1].design.value == 0


def test_the_benchmark_plays_more_nights_where_they_are_short_or_barren() -> None:
    nights = {world.name: count for world, count in simulate.plan(100)}
    assert set(nights) == {world.name for world in WORLDS}
    assert (nights["default"], nights["null"], nights["g5 T10"], nights["g5 T30"]) == (100, 200, 2000, 1000)


def test_ways_to_pick_are_compared_night_by_night() -> None:
    found = simulate.picks(SHORT, nights=50, ways=("schulze", "random"))
    assert list(found.gains) == ["schulze", "random"] and list(found.ahead) == ["schulze − random"]
    gap = found.ahead["schulze − random"]
    assert gap.value == pytest.approx(found.gains["schulze"].value - found.gains["random"].value)
    assert 0 < gap.low < gap.value


def test_the_design_beats_the_foil_where_edits_help_and_judges_see() -> None:
    found = simulate.report(DEFAULT, nights=200)
    assert found.ahead.low > 0
    assert found.covered.value >= 0.88
    assert found.booked.value < found.booked_raw.value


def test_a_barren_night_rarely_ends_far_below_the_baseline_and_rarely_claims() -> None:
    barren = next(w for w in WORLDS if w.name == "h00 useless")
    found = simulate.report(barren, nights=400)
    assert found.much_worse.value <= 0.1 < found.much_worse_raw.value
    assert found.claims.value <= 0.1
