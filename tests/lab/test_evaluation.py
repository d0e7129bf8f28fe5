"""More boxes look where a score would be booked, and only a baseline says how exact a device is."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab import causality, noise
from lab.causality import Compared, again
from lab.evaluation import Evaluation
from lab.measurement import Measurement
from lab.referee import Request, measure
from tests.lab.helpers import tiny

ROWS = np.random.default_rng(7).integers(50, size=(96, 33)).astype(np.int16)
TRAIN = np.random.default_rng(8).integers(50, size=5000).astype(np.int16)
PEEK = "logits[:, :-1].scatter_add_(2, idx[:, 1:, None], torch.full_like(logits[:, :-1, :1], 5.0))"


def looked(forward: str = "", below: float | None = 99.0, edges: int = 60) -> Measurement:
    """A tiny train.py, on 32 rows of random tokens; they score about 11."""
    return measure(Request(tiny(forward=forward), steps=3, thorough_below=below, thorough_edges=edges))


def test_a_score_below_the_mark_is_looked_at_by_more_boxes() -> None:
    plain, thorough = looked(below=None), looked()
    assert plain.causality is not None and thorough.causality is not None
    assert plain.causality["edges"] == 28
    assert (thorough.status, thorough.causality["edges"]) == ("ok", 60)
    assert thorough.scoring is not None and len(thorough.scoring["first_answer"]) == 4
    assert thorough.val_bpb == plain.val_bpb


def test_a_score_above_the_mark_is_not() -> None:
    found = looked(below=5.0)
    assert found.causality is not None and found.causality["edges"] == 28


def test_what_a_further_box_finds_rejects(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two boxes get no edges here, so a model that looks ahead by one word passes them."""
    monkeypatch.setattr(causality, "spliced", functools.partial(causality.spliced, edges=0))
    assert looked(PEEK, below=None).status == "ok"
    found = looked(PEEK)
    assert (found.status, found.reason, found.val_bpb) == ("rejected", causality.NOT_CAUSAL, None)
    assert looked().status == "ok"


def test_a_further_box_gets_no_row_twice_and_only_whole_batches() -> None:
    more = again(ROWS, TRAIN, np.random.default_rng(1), 16, 40)
    assert len(set(more.rows)) == len(more.rows) == 64  # 40 edges, 16 controls, and what fills the batch
    assert more.edges == 40
    for row, text, cut in zip(more.rows, more.inputs, more.cuts, strict=True):
        assert (text[:cut] == ROWS[row, :cut]).all()
        assert cut == 32 or text[cut] != ROWS[row, cut]
    assert again(ROWS, TRAIN, np.random.default_rng(1), 16, 5000).edges == 84  # at least one row in eight stays whole


def test_cuts_are_fresh_in_every_box() -> None:
    generator = np.random.default_rng(1)
    first, second = (again(ROWS, TRAIN, generator, 16, 84) for _ in range(2))
    assert sorted(zip(first.rows, first.cuts, strict=True)) != sorted(zip(second.rows, second.cuts, strict=True))


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An evaluation on a device that is not exact: (tolerance it would use, tolerance remembered afterwards)."""
    monkeypatch.setenv("COUNCIL_LAB_CACHE", str(tmp_path))

    def shows(difference: float, is_baseline: bool) -> tuple[float | None, float | None]:
        result = Measurement("void", fingerprint={"corpus": "x"}, conditions={"device": "gpu"})
        request = Request(b"", device="mps", is_baseline=is_baseline)
        evaluation = Evaluation(request, None, result, lambda line: None)  # type: ignore[arg-type]
        seen = Compared(np.zeros(9), 9, difference, 0.0)
        tolerance = evaluation._tolerance(seen)
        evaluation._remember(seen)
        return tolerance, noise.recall({"corpus": "x"}, {"device": "gpu"}).get("tolerance")

    return shows


def test_a_candidate_does_not_move_the_tolerance(device: Any) -> None:
    assert device(0.2, is_baseline=False) == (causality.LEAST_TOLERANCE, None)


def test_a_baseline_says_how_exact_the_device_is_and_candidates_are_held_to_it(device: Any) -> None:
    assert device(0.01, is_baseline=True) == (0.01, 0.01)
    assert device(0.2, is_baseline=False) == (0.01, 0.01)
    assert device(0.005, is_baseline=True) == (0.01, 0.01)
    assert device(9.0, is_baseline=True) == (causality.MOST_TOLERANCE, causality.MOST_TOLERANCE)
