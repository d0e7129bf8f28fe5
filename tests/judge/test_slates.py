"""Slates: one's own left out, an order and labels that follow from the seed alone."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from council.judge.slates import draw, label

AUTHORS = st.dictionaries(st.integers(1, 10_000), st.sampled_from(["ann", "bob", "cyd", "dan"]), max_size=40)


@given(AUTHORS, st.integers(0, 2**63 - 1))
def test_ones_own_is_recused_and_everything_else_shown_once(authors, seed):
    drawn = draw("ann", authors, seed)
    shown = [p for _, p in drawn.shown]
    assert set(drawn.recused) == {p for p, name in authors.items() if name == "ann"}
    assert sorted([*shown, *drawn.recused]) == sorted(authors)


@given(AUTHORS, st.integers(0, 2**63 - 1))
def test_labels_are_unique_and_follow_the_display_order(authors, seed):
    labels = [name for name, _ in draw("ann", authors, seed).shown]
    assert labels == [label(i) for i in range(len(labels))] and len(set(labels)) == len(labels)


@given(AUTHORS, st.integers(0, 2**63 - 1), st.randoms())
def test_the_seed_decides_and_the_order_of_arrival_does_not(authors, seed, rng):
    shuffled = dict(rng.sample(sorted(authors.items()), len(authors)))
    assert draw("bob", shuffled, seed) == draw("bob", authors, seed)


def test_another_seed_gives_another_order():
    authors = dict.fromkeys(range(8), "bob")
    assert len({draw("ann", authors, seed).shown for seed in range(20)}) > 15


def test_every_position_is_equally_likely():
    """Chi-squared over 4,000 seeds and 4 places stays below its 99.9 % point, 16.3 at three degrees of freedom."""
    authors = {1: "bob", 2: "cyd", 3: "dan", 4: "eve"}
    places = Counter([p for _, p in draw("ann", authors, seed).shown].index(3) for seed in range(4000))
    assert sum((places[i] - 1000) ** 2 / 1000 for i in range(4)) < 16.3


def test_labels_go_on_after_z():
    assert [label(i) for i in (0, 1, 25, 26, 27, 51, 52, 701, 702)] == [
        "A",
        "B",
        "Z",
        "AA",
        "AB",
        "AZ",
        "BA",
        "ZZ",
        "AAA",
    ]
