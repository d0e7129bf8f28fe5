"""Lines of text stay within the terminal, in columns and not in characters."""

from __future__ import annotations

from contextlib import closing

import pytest

from council.session import Ending
from council.store import Store
from council.ui import status as face
from council.ui import text
from council.views import round, status
from tests.report.nights import write

WIDE = "注意機構の学習率を上げると損失が下がる" * 4


@pytest.mark.parametrize(
    "said", [WIDE, f"an edit {WIDE} by opus", "x" * 300, "a word and another " * 12, "e\u0301" * 90]
)
@pytest.mark.parametrize("columns", [7, 40, 80])
def test_wrapped_lines_fit_in_columns_and_lose_nothing(said, columns):
    shown = text.wrap(said, columns, "  ")
    assert max(map(text.cells, shown)) <= columns and all(line.startswith("  ") for line in shown)
    assert "".join("".join(shown).split()) == "".join(said.split())


def test_lines_are_filled_before_they_break():
    assert text.wrap("one two  three\nfour", 9) == ["one two", "three", "four"]
    assert text.wrap("", 9) == [] and text.wrap("ab 日本語日本語", 8) == ["ab 日本", "語日本語"]


@pytest.mark.parametrize("columns", [40, 50, 80])
def test_the_end_of_a_run_fits_the_terminal(tmp_path, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(
        "tests.report.nights.TITLES", (f"Raise {WIDE[:30]}", "Tie the embedding to the head of the model")
    )
    with closing(Store(write(tmp_path / "c.db", rounds=12), read_only=True)) as store:
        rounds = [round.read(store, n) for n in range(1, 13)]
        lines = face.summary(status.read(store), rounds, Ending("2026-11-20", 0, "12 rounds done"))
    assert [line for line in lines if text.cells(line) > columns and not line.startswith("Go on: ")] == []
