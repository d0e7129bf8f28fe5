"""The closing and the t distribution under it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import looks
from council.judge import closing
from council.judge.closing import Plan
from council.judge.student import cdf, incomplete_beta, quantile

THREE = Plan((3,), 0.90)
TWICE = Plan((3, 3), 0.95)
EARLIER = [(1.000, 1.004)]

TABLE = [
    (0.90, 1, 3.078),
    (0.90, 4, 1.533),
    (0.90, 9, 1.383),
    (0.95, 2, 2.920),
    (0.95, 4, 2.132),
    (0.95, 9, 1.833),
    (0.95, 14, 1.761),
    (0.95, 120, 1.658),
    (0.975, 5, 2.571),
    (0.975, 30, 2.042),
    (0.99, 10, 2.764),
    (0.995, 3, 5.841),
    (0.9995, 7, 5.408),
]
"""One-sided level, degrees of freedom, t: as printed in statistics textbooks, three decimals."""


@pytest.mark.parametrize(("p", "freedom", "t"), TABLE)
def test_quantiles_are_those_of_the_printed_tables(p: float, freedom: int, t: float) -> None:
    assert quantile(p, freedom) == pytest.approx(t, abs=5.1e-4)
    assert quantile(1 - p, freedom) == pytest.approx(-t, abs=5.1e-4)


@pytest.mark.parametrize("p", [0.51, 0.75, 0.9, 0.95, 0.999, 0.999999])
def test_quantiles_equal_the_closed_forms(p: float) -> None:
    assert quantile(p, 1) == pytest.approx(math.tan(math.pi * (p - 0.5)), rel=1e-10)
    assert quantile(p, 2) == pytest.approx((2 * p - 1) / math.sqrt(2 * p * (1 - p)), rel=1e-10)
    x = math.sqrt(4 * p * (1 - p))
    four = 2 * math.sqrt(math.cos(math.acos(x) / 3) / x - 1)
    assert quantile(p, 4) == pytest.approx(four, rel=1e-9)


@pytest.mark.parametrize("freedom", [1, 3, 9, 40, 1000])
def test_the_quantile_inverts_the_distribution(freedom: int) -> None:
    for p in (0.001, 0.1, 0.5, 0.7, 0.99):
        assert cdf(quantile(p, freedom), freedom) == pytest.approx(p, abs=1e-12)


def test_the_incomplete_beta_function_at_known_points() -> None:
    assert incomplete_beta(2, 3, 0.4) == pytest.approx(0.5248)  # a polynomial: 6x² − 8x³ + 3x⁴
    assert incomplete_beta(0.5, 0.5, 0.25) == pytest.approx(1 / 3)  # 2/π asin √x
    assert (incomplete_beta(2, 3, 0.0), incomplete_beta(2, 3, 1.0)) == (0.0, 1.0)


@pytest.mark.parametrize(("p", "freedom"), [(0.0, 3), (1.0, 3), (0.9, 0)])
def test_a_quantile_that_does_not_exist_is_refused(p: float, freedom: int) -> None:
    with pytest.raises(ValueError, match="quantile"):
        quantile(p, freedom)


def test_the_worked_closing_confirms() -> None:
    found = closing.close((1.001, 0.996, 1.006), (0.985, 0.990, 0.980), 0.010, EARLIER, THREE)
    assert (found.gain, found.low) == pytest.approx((0.016, 0.007516), abs=5e-7)
    assert found.confirmed and found.freedom == 9 and not found.again


def test_the_worked_closing_that_does_not_confirm() -> None:
    found = closing.close((1.001, 0.996, 1.006), (0.995, 0.990, 1.000), 0.010, EARLIER, THREE)
    assert (found.gain, found.low) == pytest.approx((0.006, -0.002484), abs=5e-7)
    assert not found.confirmed and not found.again


def test_two_blocks_ask_for_the_second_only_after_a_gain_that_is_not_confirmed() -> None:
    first = [(1.001, 0.996, 1.006), (0.995, 0.990, 1.000)]
    open_, sure = (
        closing.close(*first, 0.010, EARLIER, TWICE),
        closing.close(first[0], (0.9,) * 3, 0.010, EARLIER, TWICE),
    )
    worse = closing.close(first[1], first[0], 0.010, EARLIER, TWICE)
    assert open_.again and not open_.confirmed
    assert sure.confirmed and not sure.again
    assert not worse.again and not worse.confirmed


def test_both_looks_of_two_blocks_use_the_stricter_quantile_and_the_second_all_pairs() -> None:
    base, best = (1.001, 0.996, 1.006, 1.002, 0.999, 1.003), (0.995, 0.990, 1.000, 0.991, 0.993, 0.996)
    first = closing.close(base[:3], best[:3], 0.010, EARLIER, TWICE)
    assert first.low == pytest.approx(first.gain - quantile(0.95, 9) * first.sigma * math.sqrt(2 / 3))
    both = closing.close(base, best, 0.010, EARLIER, TWICE)
    assert both.pairs == 6 and both.freedom == 15 and not both.again
    assert both.low == pytest.approx(both.gain - quantile(0.95, 15) * both.sigma * math.sqrt(2 / 6))


def test_the_noise_is_pooled_within_code_and_split() -> None:
    # The vault is easier by .1 for both codes: that is no noise.
    near = closing.close((1.001, 0.996, 1.006), (0.985, 0.990, 0.980), 0.010, EARLIER, THREE)
    far = closing.close((0.901, 0.896, 0.906), (0.885, 0.890, 0.880), 0.010, EARLIER, THREE)
    assert far.sigma == pytest.approx(near.sigma) and far.low == pytest.approx(near.low)


@pytest.mark.parametrize(
    ("setting", "experiments", "plan"),
    [
        ("auto", 19, Plan((), 0.90)),
        ("auto", 20, Plan((3,), 0.90)),
        (0, 100, Plan((), 0.90)),
        (5, 2, Plan((5,), 0.90)),
        ("5", 2, Plan((5,), 0.90)),
        ("3+3", 2, Plan((3, 3), 0.95)),
    ],
)
def test_what_the_setting_means(setting: int | str, experiments: int, plan: Plan) -> None:
    assert closing.plan(setting, experiments) == plan


@pytest.mark.parametrize("setting", ["three", "3+", "-1", "3.5"])
def test_a_setting_that_means_nothing_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match="closing_pairs"):
        closing.plan(setting, 30)


@pytest.mark.parametrize(("look", "one", "several"), [(1, 0.9, 0.95), (2, 0.95, 0.975), (3, 0.975, 0.9875)])
def test_every_further_look_takes_half_the_chance_of_a_false_claim(look: int, one: float, several: float) -> None:
    assert closing.levels(look) == pytest.approx((one, several))
    assert closing.plan(3, 9, look).level == closing.plan("auto", 99, look).level == closing.levels(look)[0]
    assert closing.plan("3+3", 9, look).level == closing.levels(look)[1]


def test_the_chances_of_all_looks_together_stay_below_twice_that_of_the_first() -> None:
    for kind in (0, 1):
        taken = [1 - closing.levels(look)[kind] for look in range(1, 31)]
        assert sum(taken) < 2 * taken[0] and all(a > b > 0 for a, b in zip(taken, taken[1:], strict=False))
    assert 0 < quantile(closing.levels(1000)[1], 9) < math.inf


PAIRS = st.lists(st.tuples(st.floats(0.9, 1.1), st.floats(0.9, 1.1)), min_size=2, max_size=12)


@given(PAIRS, st.integers(2, 6), st.data())
def test_a_further_look_is_the_interval_of_all_pairs_at_its_level(
    pairs: list[tuple[float, float]], look: int, data: st.DataObject
) -> None:
    old = data.draw(st.integers(1, len(pairs) - 1))
    base, mine = zip(*pairs, strict=True)
    found = closing.close(base, mine, 0.010, EARLIER, closing.plan(len(pairs) - old, 9, look), old)
    n, nu = len(pairs), 4 + 1 + 2 * (len(pairs) - 1)
    gain, groups = math.fsum(b - m for b, m in pairs) / n, (EARLIER[0], base, mine)
    squares = math.fsum((x - math.fsum(g) / len(g)) ** 2 for g in groups for x in g)
    sigma = math.sqrt((4 * 0.010**2 + squares) / nu)
    low = gain - quantile(1 - 0.1 / 2 ** (look - 1), nu) * sigma * math.sqrt(2 / n)
    assert (found.pairs, found.freedom) == (n, nu) and not found.again
    assert (found.gain, found.low) == pytest.approx((gain, low), abs=1e-9)


def test_the_second_block_of_a_further_look_is_counted_without_the_pooled_pairs() -> None:
    base, best = (1.001, 0.996, 1.006, 1.002, 0.999, 1.003), (0.999, 0.996, 1.003, 1.001, 0.997, 1.001)
    twice = closing.plan("3+3", 9, look=2)
    assert closing.close(base, best, 0.010, EARLIER, twice, 3).again
    assert not closing.close(base, best, 0.010, EARLIER, twice, 0).again


def test_closing_again_and_again_rarely_confirms_an_edit_that_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    said = np.array([looks.confirmed(rng, 3, pooled=True, stricter=True) for _ in range(4000)])
    first, ever = said[:, 0].mean(), said.any(axis=1).mean()
    assert abs(first - 0.090) < 4 * math.sqrt(0.09 * 0.91 / 4000)
    assert abs(ever - 0.122) < 4 * math.sqrt(0.122 * 0.878 / 4000)  # .40 at the same level, over fresh pairs alone


def test_unpaired_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="as many runs"):
        closing.close((1.0, 1.0), (1.0,), 0.010, EARLIER, THREE)
