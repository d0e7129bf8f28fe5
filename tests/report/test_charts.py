"""The staircase as a chart: nothing off its scale looks as if it were on it, and a long night is drawn soon."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from xml.etree import ElementTree

import altair
import pytest

from council.store import Store
from council.ui import charts
from council.views import staircase
from tests.report.nights import write


@pytest.fixture(scope="module")
def stairs(tmp_path_factory):
    """The staircase of a night of 30 rounds."""
    with closing(Store(write(tmp_path_factory.mktemp("night") / "c.db"), read_only=True)) as store:
        return staircase.read(store)


@pytest.mark.parametrize("far", [0, 1, 8])
def test_a_run_beyond_the_scale_is_an_arrow_and_told_with_its_number(stairs, far):
    worst = [run.number for run in stairs.runs if run.kind == "discard"][:far]
    runs = tuple(replace(run, bpb=2 + run.number / 100) if run.number in worst else run for run in stairs.runs)
    text = charts.staircase(replace(stairs, runs=runs), lambda number: f"/r/{number}")
    root = ElementTree.fromstring(text)
    said = "".join(root.itertext())
    assert text.count('fill="var(--chart-beyond)"') == far + bool(far)  # and one in the legend
    if far == 0:
        assert "beyond" not in said
    elif far == 1:
        assert f"1 run lies beyond the scale: x{worst[0]} {2 + worst[0] / 100:.5f}" in said
    else:
        assert f"8 runs lie beyond the scale: x{worst[-1]} {2 + worst[-1] / 100:.5f}, " in said and "and 3 more" in said


def test_altair_copies_and_checks_no_run_of_a_staircase(stairs, monkeypatch):
    seen = []
    init = altair.SchemaBase.__init__
    monkeypatch.setattr(
        altair.SchemaBase, "__init__", lambda self, *a, **k: seen.append(str((a, k))) or init(self, *a, **k)
    )
    run = replace(stairs.runs[0], title="seen nowhere")
    found = replace(stairs, runs=(run, *stairs.runs[1:]))
    assert "seen nowhere" in charts.staircase(found)
    assert seen and not any("seen nowhere" in one for one in seen)


def test_a_rejected_run_keeps_its_mark_however_far_it_measured(stairs):
    runs = (*stairs.runs, replace(stairs.runs[-1], number=99, kind="rejected", bpb=9.0))
    assert "beyond" not in charts.staircase(replace(stairs, runs=runs))
