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
    assert told.exit_code == 0 and told.stdout.startswith("night: confirmed gain 0.02000 BPB, at least")
    store = Store(folder / ".council/council.db", read_only=True)
    assert [c["pairs"] for c in store.rows("closings")] == [3, 2]
    store.close()
    assert audited(folder).problems == ()


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
