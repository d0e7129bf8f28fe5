"""Laws of what learns: the forecast rule over many rounds, the verdict over many edits that change nothing."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from council.judge import book, forecast
from council.judge.forecast import Forecast
from council.types import Kind

PLANTED = (0.8, 0.4, 0.0)
TOLERANCE = 0.3
"""Stated before looking. Posterior SD of a weight after 200 settlements is about 1/√(200/2.25 + 1/.15²) = .087; the
prior (.167 ± .15) pulls a planted weight by a third of its distance, up to .21; .3 leaves one SD beyond that."""


def learn(weights: tuple[float, ...], n: int, seed: int) -> forecast.State:
    """n settled proposals of an outsider; r is the weighted sum of the judges' signals and noise of SD 1."""
    rng = np.random.default_rng(seed)
    names = [f"j{i}" for i in range(len(weights))]
    state = forecast.start(names, [*names, "outsider"])
    for p in range(n):
        signal = rng.standard_normal(len(weights))
        said = [Forecast(j, p, 1 / (1 + math.exp(-0.7 * x - 0.4)), False) for j, x in zip(names, signal, strict=True)]
        scored = forecast.score(state, {p: "outsider"}, said)
        state = forecast.settle(scored.state, scored.phis[p], float(signal @ weights) + rng.standard_normal() - 0.5)
    return state


@pytest.mark.parametrize("seed", range(8))
def test_planted_judge_weights_are_recovered(seed: int) -> None:
    found = learn(PLANTED, 200, seed).mean[1:4]
    assert np.abs(found - PLANTED).max() < TOLERANCE
    assert found[0] > found[1] > found[2]


@given(st.floats(0.02, 0.98), st.lists(st.floats(0.02, 0.98), min_size=4, max_size=4))
@settings(max_examples=50)
def test_a_judge_that_always_says_the_same_moves_nothing(same: float, others: list[float]) -> None:
    def scores(p: float) -> dict[int, float]:
        said = [Forecast("same", i, p, False) for i in range(4)]
        said += [Forecast("other", i, x, False) for i, x in enumerate(others)]
        return forecast.score(forecast.start(["same", "other"], ["x"]), dict.fromkeys(range(4), "x"), said).scores

    some, none = scores(same), scores(0.5)
    for a in range(4):  # whatever it says, the differences between proposals are the other judge's
        assert some[a] - some[0] == pytest.approx(none[a] - none[0], abs=1e-9)


def test_saying_the_same_for_long_says_nothing_at_all() -> None:
    state = forecast.start(["same"], ["x"])
    for n in range(400):
        scored = forecast.score(state, {n: "x"}, [Forecast("same", n, 0.9, False)])
        state = scored.state
    assert abs(scored.phis[399][1]) < 0.12
    assert forecast.score(forecast.start(["same"], ["x"]), {0: "x"}, [Forecast("same", 0, 0.9, False)]).phis[0][1] > 1


@given(st.floats(0, 1), st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_constant_self_promotion_tends_to_nought(praise: float, others: list[float]) -> None:
    logits = [forecast.logit(p) for p in others]
    for n in (10, 100, 1000, 10_000):
        seen = forecast.Running(
            n * len(logits), n * sum(logits), n * sum(x * x for x in logits), n, n * forecast.logit(praise)
        )
        # what remains is the distance of three pseudo-values over n + 3 own forecasts, in units of the spread's floor
        assert abs(forecast.standardise(seen, Forecast("vain", 0, praise, True))) <= 3 * 8.6 / (n + 3) / math.sqrt(0.05)


def test_self_promotion_of_a_whole_night_ends_near_nought() -> None:
    state, seen = forecast.start(["vain", "b"], ["vain", "b"]), []
    for n in range(120):
        said = [Forecast("vain", 2 * n, 0.95, True), Forecast("vain", 2 * n + 1, 0.3 + 0.4 * (n % 2), False)]
        scored = forecast.score(state, {2 * n: "vain", 2 * n + 1: "b"}, said)
        state = scored.state
        seen.append(scored.phis[2 * n][1])
    assert seen[0] > 1 and 0 < seen[-1] < 0.15


# The verdict over many null edits -----------------------------------------------------------------------------------


def null_night(rng: random.Random, trials: int, sigma: float = 1.0) -> tuple[int, int, float]:
    """Trials of edits that change nothing, with the true σ known and no score: (kept first, all kept, b)."""
    base = [rng.gauss(0, sigma), rng.gauss(0, sigma)]
    now, kept, first = book.start("base", base, sigma**2), 0, 0
    for n in range(trials):
        judged = book.trial(now, sigma**2, rng.gauss(0, sigma), None, f"edit{n}")
        kept += judged.verdict.kind is Kind.KEEP
        first += n == 0 and judged.verdict.kind is Kind.KEEP
        now = book.back(judged.book, "base") or judged.book
    assert now.commit == "base" or now.b <= now.b_base
    return first, kept, now.b


def test_a_first_null_edit_is_kept_half_the_time() -> None:
    rng = random.Random(1)
    first = sum(null_night(rng, 1)[0] for _ in range(4000))
    assert abs(first / 4000 - 0.5) < 4 * math.sqrt(0.25 / 4000)  # d is symmetric around 0


def test_the_book_after_one_null_edit_drifts_as_computed() -> None:
    # Keep at d > 0 books b − max(.6 d, d − σ), else b − clip(.2 d, ±σ/4); d ~ N(0, 1.5 σ²), with v = σ²/2, S = 2.5 σ².
    # E = ∫₀^∞ max(.6 d, d − 1) + ∫₋∞^0 max(.2 d, −.25), the first turning at d = 2.5 and the second at −1.25.
    grid = np.linspace(-12, 12, 200_001)
    density = np.exp(-(grid**2) / 3) / math.sqrt(3 * math.pi)
    step = np.where(grid > 0, np.maximum(0.6 * grid, grid - 1), np.maximum(0.2 * grid, -0.25))
    computed = float((step * density).sum() * (grid[1] - grid[0]))
    rng = random.Random(2)
    found = []
    for _ in range(4000):
        values = [rng.gauss(0, 1), rng.gauss(0, 1)]
        before = book.start("base", values, 1.0)
        found.append(before.b - book.trial(before, 1.0, rng.gauss(0, 1), None, "edit").book.b)
    sd = float(np.std(found)) / math.sqrt(4000)
    assert abs(float(np.mean(found)) - computed) < 4 * sd
    assert 0.2 < computed < 0.4


TRIALS = 60


def computed(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keeps and the book's end per night of null edits {two baseline runs, then trials}: docs/mechanism.md once more.

    In units of σ, which is known; no score, so m = 0 and g > 0 is d > 0. Written from the page, not from the code.
    """
    b_base = draws[:, :2].mean(axis=1)
    b, v, kept = b_base.copy(), np.full(len(draws), 0.5), np.zeros(len(draws))
    edited = np.zeros(len(draws), dtype=bool)
    for y in draws[:, 2:].T:
        d, S = b - y, v + 2
        keep = d > 0
        b = np.where(keep, b - np.maximum((v + 1) / S * d, d - 1), b - np.clip(v / S * d, -0.25, 0.25))
        v = np.where(keep, (v + 1) / S, v * (1 - v / S))
        back = (edited | keep) & (b > b_base)
        b, v, edited = np.where(back, b_base, b), np.where(back, 0.5, v), (edited | keep) & ~back
        kept += keep
    return kept, b


class Drawn(random.Random):
    """Gives what was drawn before, as the noise of one run after the other."""

    def __init__(self, values: np.ndarray) -> None:
        super().__init__(0)
        self.values = iter(values.tolist())

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        return mu + sigma * float(next(self.values))


def test_every_night_of_null_edits_keeps_and_books_as_computed() -> None:
    draws = np.random.default_rng(3).standard_normal((500, 2 + TRIALS))
    kept, b = computed(draws)
    nights = [null_night(Drawn(row), TRIALS) for row in draws]
    assert [night[1] for night in nights] == kept.tolist()
    assert [night[2] for night in nights] == pytest.approx(b.tolist(), abs=1e-9)


def test_over_many_null_edits_the_share_of_keeps_and_the_drift_are_as_computed() -> None:
    share, drift = (
        x / n for x, n in zip(computed(np.random.default_rng(4).standard_normal((20_000, 62))), (60, -1), strict=True)
    )
    rng = random.Random(5)
    nights = [null_night(rng, TRIALS) for _ in range(1500)]
    seen = np.array([kept for _, kept, _ in nights]) / TRIALS, -np.array([b for *_, b in nights])
    for found, expected in zip(seen, (share, drift), strict=True):
        error = math.sqrt(found.var() / len(found) + expected.var() / len(expected))
        assert abs(found.mean() - expected.mean()) < 4 * error
    assert drift.mean() < 1, "booking what was measured would reach −E[min of 60] = 2.3"
