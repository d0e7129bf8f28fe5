"""The book: the worked numbers of the mechanism, and what holds for any numbers."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from council.judge import book as books
from council.types import Book, Kind

S0 = 0.010
BASE = [1.000, 1.004]
BPB = st.floats(0.5, 2.0)
SMALL = st.floats(1e-4, 0.05)


def opened() -> tuple[Book, float]:
    sigma2 = books.pooled_variance(S0, [BASE])
    return books.start("base", BASE, sigma2), sigma2


def test_the_book_opens_on_two_runs_of_the_baseline():
    book, sigma2 = opened()
    assert math.sqrt(sigma2) == pytest.approx(0.0090333, abs=5e-8)
    assert book == Book("base", 1.002, book.v, 1.002, book.v)
    assert book.v == pytest.approx(4.08e-5, abs=5e-9)


TRIALS = [
    (-0.4, 0.985, "keep", 0.004632, 0.74601, 0.993245, 0.006997),
    (-0.8, 0.993, "discard", -0.004353, 0.26952, 0.991521, 0.006137),
    (0.3, 0.970, "keep", 0.008743, 0.89545, 0.978743, 0.006961),
    (-1.5, 0.989, "discard", -0.012280, 0.04143, 0.977989, 0.006112),
    (-0.2, 1.010, "discard", -0.014096, 0.02138, 0.980247, 0.005514),
]


def test_five_trials_and_two_replicates_give_the_worked_numbers():
    book, sigma2 = opened()
    for number, (score, y, kind, g, belief, b, sd) in enumerate(TRIALS):
        judged = books.trial(book, sigma2, y, score, f"x{number}")
        if number == 1:
            assert judged.verdict.delta == pytest.approx(0.000245, abs=5e-7)
        book = judged.book
        assert judged.verdict.kind == kind
        assert judged.verdict.expected == pytest.approx(g, abs=5e-7)
        assert judged.verdict.belief == pytest.approx(belief, abs=5e-6)
        assert (book.b, math.sqrt(book.v)) == (pytest.approx(b, abs=5e-7), pytest.approx(sd, abs=5e-7))
        assert books.back(book, "base") is None
    assert book.commit == "x2"
    first = books.pooled_variance(S0, [BASE, [0.992]])
    assert first == pytest.approx(sigma2)
    book = books.replicate(book, first, 0.992, None)
    assert (book.b, math.sqrt(book.v)) == (pytest.approx(0.983437, abs=5e-7), pytest.approx(0.004706, abs=5e-7))
    second = books.pooled_variance(S0, [BASE, [0.992, 1.012]])
    assert math.sqrt(second) == pytest.approx(0.0100664, abs=5e-8)
    book = books.replicate(book, second, 1.012, None)
    assert (book.b, math.sqrt(book.v)) == (pytest.approx(0.988561, abs=5e-7), pytest.approx(0.004263, abs=5e-7))


@pytest.mark.parametrize("score", [0.0, None])
def test_a_lucky_keep_goes_back_after_a_bad_replicate(score):
    book, sigma2 = opened()
    judged = books.trial(book, sigma2, 0.994, score, "x")
    assert judged.verdict.kind is Kind.KEEP
    assert judged.verdict.expected == pytest.approx(0.0032, abs=5e-7)
    assert judged.verdict.belief == pytest.approx(0.67628, abs=5e-6)
    assert judged.book.b == pytest.approx(0.9972)
    after = books.replicate(judged.book, books.pooled_variance(S0, [BASE, [1.020]]), 1.020, None)
    returned = books.back(after, "base")
    assert returned is not None
    assert (returned.commit, returned.b, returned.v) == ("base", pytest.approx(1.002), book.v)


def test_a_replicate_of_the_baseline_moves_the_anchor_too():
    book, _ = opened()
    runs = [*BASE, 1.020]
    sigma2 = books.pooled_variance(S0, [runs])
    after = books.replicate(book, sigma2, 1.020, runs)
    assert (after.b_base, after.v_base) == (pytest.approx(sum(runs) / 3), pytest.approx(sigma2 / 3))
    assert books.back(after, "base") is None


@given(BPB, SMALL, SMALL, BPB, st.one_of(st.none(), st.floats(-5, 5)), st.floats(0.3, 0.9))
def test_the_verdict_follows_its_formula(b, sd, sigma, y, score, p_keep):
    book, sigma2 = Book("inc", b, sd**2, b + 1, 1.0), sigma**2
    judged = books.trial(book, sigma2, y, score, "new", p_keep)
    d = b - y
    m = sigma * (0 if score is None else max(-2, min(0, score)))
    total = book.v + 2 * sigma2
    g = m + sigma2 * (d - m) / total
    belief = 0.5 * math.erfc(-g / (sigma * math.sqrt(1 - sigma2 / total)) / math.sqrt(2))
    assert judged.verdict.delta == d and judged.verdict.sigmas == pytest.approx(d / sigma)
    assert judged.verdict.expected == pytest.approx(g, abs=1e-12)
    assert judged.verdict.belief == pytest.approx(belief, abs=1e-9)
    assume(abs(belief - p_keep) > 1e-9)
    assert (judged.verdict.kind is Kind.KEEP) == (d > 0 and belief > p_keep)
    assert judged.book.commit == ("new" if judged.verdict.kind is Kind.KEEP else "inc")


@given(BPB, SMALL, SMALL, BPB, st.one_of(st.none(), st.floats(-5, 5)))
def test_a_trial_moves_the_book_by_a_bounded_step(b, sd, sigma, y, score):
    book = Book("inc", b, sd**2, b + 1, 1.0)
    judged = books.trial(book, sigma**2, y, score, "new")
    after, tiny = judged.book, 1e-12
    assert after.v > 0
    assert (after.b_base, after.v_base) == (book.b_base, book.v_base)
    if judged.verdict.kind is Kind.KEEP:
        assert y - tiny <= after.b <= b, "what is booked is between what was measured and what was booked"
        assert after.b <= y + sigma + tiny, "shrunk by at most one sigma"
        assert after.v < sigma**2 + tiny
    else:
        assert after.v <= book.v
        assert abs(after.b - b) <= 0.25 * sigma + tiny


@given(BPB, SMALL, SMALL, BPB)
def test_a_replicate_narrows_the_book_and_moves_it_towards_what_was_measured(b, sd, sigma, y):
    book = Book("inc", b, sd**2, b + 1, 1.0)
    after = books.replicate(book, sigma**2, y, None)
    assert 0 < after.v < book.v
    assert min(b, y) - 1e-12 <= after.b <= max(b, y) + 1e-12
    assert (after.commit, after.b_base, after.v_base) == ("inc", b + 1, 1.0)


@given(BPB, BPB)
def test_going_back_happens_exactly_when_the_incumbent_is_no_better(b, b_base):
    book = Book("inc", b, 1e-5, b_base, 2e-5)
    returned = books.back(book, "base")
    assert (returned is not None) == (b > b_base)
    if returned:
        assert returned == Book("base", b_base, 2e-5, b_base, 2e-5)
        assert books.back(returned, "base") is None


@given(SMALL, st.lists(st.lists(BPB, max_size=6), max_size=5))
def test_the_pooled_variance_is_the_prior_and_the_spread_within_codes(s0, runs):
    squares, freedom = 4 * s0**2, 4
    for values in filter(None, runs):
        squares += sum((x - sum(values) / len(values)) ** 2 for x in values)
        freedom += len(values) - 1
    assert books.pooled_variance(s0, runs) == pytest.approx(squares / freedom)
    assert books.pooled_variance(s0, [[v] for values in runs for v in values]) == pytest.approx(s0**2)


def test_under_edits_that_do_nothing_as_many_are_kept_as_luck_gives():
    """Against a well-known incumbent a null edit is kept when its own noise is below the book: half the time."""
    rng, kept, sigma = random.Random(1), 0, 0.01
    for _ in range(4000):
        truth = rng.gauss(1.0, 0.003)
        book = Book("inc", 1.0, 0.003**2, 2.0, 1.0)
        kept += books.trial(book, sigma**2, rng.gauss(truth, sigma), None, "x").verdict.kind is Kind.KEEP
    assert kept / 4000 == pytest.approx(0.5, abs=0.03), "four standard errors"


def test_a_pessimistic_council_keeps_fewer_lucky_edits_by_the_computed_share():
    rng, kept, sigma, sd, score = random.Random(2), 0, 0.01, 0.004, -1.0
    book = Book("inc", 1.0, sd**2, 2.0, 1.0)
    # kept when g > 0: m + s2/S (d - m) > 0, so d > m (1 - S/s2), with d ~ N(0, v + s2)
    total, m = sd**2 + 2 * sigma**2, sigma * score
    limit = m * (1 - total / sigma**2)
    share = 0.5 * math.erfc(limit / math.sqrt(2 * (sd**2 + sigma**2)))
    for _ in range(4000):
        y = 1.0 - rng.gauss(0, math.sqrt(sd**2 + sigma**2))
        kept += books.trial(book, sigma**2, y, score, "x").verdict.kind is Kind.KEEP
    assert kept / 4000 == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 4000))
    assert 0.05 < share < 0.2


def test_a_night_of_edits_that_do_nothing_books_no_more_than_shrunken_luck():
    """Forty null edits, many nights: measured best alone would book 2.2 sigma of luck, the book less than 1.5."""
    rng, booked, sigma = random.Random(3), [], 0.01
    for _ in range(300):
        runs = [rng.gauss(1, sigma), rng.gauss(1, sigma)]
        book = books.start("base", runs, sigma**2)
        for number in range(40):
            book = books.trial(book, sigma**2, rng.gauss(1, sigma), None, f"x{number}").book
            book = books.back(book, "base") or book
        booked.append((1 - book.b) / sigma)
    assert 0 < sum(booked) / len(booked) < 1.5
