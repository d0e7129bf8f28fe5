"""`council confirm`: the command around the closing."""

from __future__ import annotations

import pytest

from council import session
from council.store import Store
from tests.test_audit_learning import closed_night
from tests.test_audit_night import Fake, audited


def test_confirm_runs_fresh_pairs_and_says_what_they_say(tmp_path, council, monkeypatch):
    folder = closed_night(tmp_path)
    monkeypatch.setattr(session, "executor_of", lambda config: Fake([1.0, 0.98, 0.98, 1.0]))
    told = council(folder, "confirm", "--pairs", "2", "--display", "none")
    assert told.exit_code == 0 and told.stdout.startswith("night: confirmed gain 0.01760 BPB, at least")
    assert "(5 fresh pairs, look 2 at 95 %)" in told.stdout
    store = Store(folder / ".council/council.db", read_only=True)
    assert [c["pairs"] for c in store.rows("closings")] == [3, 5]
    store.close()
    assert audited(folder).problems == ()


@pytest.mark.parametrize("display", ("plain", "none"))
def test_confirm_writes_the_report_anew(tmp_path, council, monkeypatch, display):
    folder = closed_night(tmp_path)
    monkeypatch.setattr(session, "executor_of", lambda config: Fake([1.0, 0.98, 0.98, 1.0]))
    told = council(folder, "confirm", "--pairs", "2", "--display", display)
    report = folder / ".council" / "reports" / "night.html"
    assert "confirmed gain 0.01760" in told.stdout and "0.01760" in report.read_text()
    assert (f"Report: {report}" in told.stdout) == (display == "plain")


@pytest.mark.parametrize("pairs", ("0", "-1", "x", "3+", "auto"))
def test_a_number_of_pairs_that_is_none_is_refused(lab, council, pairs):
    told = council(lab, "confirm", "--pairs", pairs)
    assert told.exit_code == 2 and "3+3" in told.output


def test_confirming_a_session_that_does_not_exist_names_those_that_do(tmp_path, council):
    told = council(closed_night(tmp_path), "confirm", "--session", "nope", "--display", "none")
    assert told.exit_code == 2 and "night" in told.output


def test_confirming_where_nothing_ran_says_how_to_start(empty, council):
    told = council(empty, "confirm")
    assert told.exit_code == 2 and "no session has run here yet" in told.output
