"""What is remembered of the noise, and what the probe says. No test here trains."""

from __future__ import annotations

from pathlib import Path

import pytest

import lab.commands
from lab.commands import describe, measure_noise, noise_text, probe, probe_text
from lab.errors import LabError
from lab.measurement import Measurement
from lab.noise import recall, remember, spread
from lab.referee import Request

HERE = ({"corpus": "sympy"}, {"clock": "pacemaker", "budget": 15.0})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COUNCIL_LAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_record_holds_for_its_conditions_only() -> None:
    remember(*HERE, s0=0.008, seeds=5)
    remember(*HERE, tolerance=0.01)
    assert recall(*HERE) == {"s0": 0.008, "seeds": 5, "tolerance": 0.01}
    assert recall(HERE[0], HERE[1] | {"budget": 16.0}) == {}
    assert recall(HERE[0] | {"corpus": "text:x"}, HERE[1]) == {}


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"s0": "x"}', '{"s0": -1}', '{"s0": NaN}', '{"s0": true}'])
def test_a_damaged_record_is_no_record(cache: Path, content: str) -> None:
    remember(*HERE, s0=0.008)
    next((cache / "noise").iterdir()).write_text(content)
    assert recall(*HERE) == {}


def test_a_record_that_cannot_be_kept_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COUNCIL_LAB_CACHE", str(tmp_path / "file"))
    with pytest.raises(LabError, match="COUNCIL_LAB_CACHE"):
        remember(*HERE, s0=0.1)


def fake(scores: list[float | None]):
    def measure(request: Request) -> Measurement:
        score = scores[request.seed]
        status, reason = ("ok", None) if score is not None else ("void", "too busy")
        return Measurement(status, score, reason, fingerprint=HERE[0], conditions=HERE[1])

    return measure


def test_noise_is_the_standard_deviation_over_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab.commands, "measure", fake([1.80, 1.82, 1.81]))
    found = measure_noise(Request(b""), 3)
    assert found["s0"] == pytest.approx(0.01)
    assert recall(*HERE) == {"s0": 0.01, "seeds": 3}
    assert "s0 0.01000 bits per byte over 3 seeds" in noise_text(found)


def test_a_failed_run_leaves_no_noise_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab.commands, "measure", fake([1.80, None, 1.81]))
    with pytest.raises(LabError, match="seed 1 is void: too busy; nothing was remembered, 1 scores"):
        measure_noise(Request(b""), 3)
    assert recall(*HERE) == {}


def test_one_score_is_no_spread() -> None:
    with pytest.raises(LabError, match="at least 2 scores, there is 1"):
        spread([1.0])


def test_figures_of_a_quiet_and_of_a_busy_machine() -> None:
    quiet = describe([0.075, 0.076, 0.075, 0.074], 0.075, 15.0)
    assert (quiet["clamped"], round(quiet["drift"], 1)) == (0, 1.0)
    assert quiet["train_seconds"] == pytest.approx(15 + 15 * 0.15, abs=0.2)
    assert describe([0.075, 0.2, 0.19, 0.08], 0.3, 15.0)["clamped"] == 0.5


@pytest.mark.parametrize(("units", "can"), [([0.08, 0.081, 0.082], True), ([0.08, 0.2, 0.2, 0.21], False)])
def test_the_probe_says_whether_this_machine_can_measure(
    monkeypatch: pytest.MonkeyPatch, units: list[float], can: bool
) -> None:
    monkeypatch.setattr(lab.commands, "_watch", lambda seconds: describe(units, 0.1, 15.0))
    found = probe("cpu", lambda: "bwrap")
    assert found["can_measure"] is can
    assert probe_text(found).startswith("can measure" if can else "cannot measure")


def test_the_probe_names_a_missing_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise LabError("no tier keeps its promises")

    monkeypatch.setattr(lab.commands, "_watch", lambda seconds: describe([0.1, 0.1], 0.1, 15.0))
    found = probe("cpu", refuse)
    assert (found["can_measure"], found["problems"]) == (False, ["no tier keeps its promises"])
