"""`council replay`: the same ballots under another rule, and what that cannot say."""

from __future__ import annotations

import json

import pytest

from council import replay
from council.errors import UsageError
from council.store import Store
from tests.test_audit_night import night as made


@pytest.fixture
def folder(tmp_path):
    return made(tmp_path)


def of(folder, rule):
    store = Store(folder / ".council/council.db", read_only=True)
    try:
        return replay.replay(store, store.one("sessions"), rule)
    finally:
        store.close()


def test_a_session_replayed_under_its_own_rule_agrees_in_every_round(folder):
    found = of(folder, "forecast")
    assert found.ran_under == ("forecast",) and len(found.rounds) == 7
    assert all(one.same for one in found.rounds) and found.agreement.value == 1 and found.unknown == 0


def worst(slates, ballots):
    """A rule that likes what the judges like least."""
    scores: dict[int, float] = {}
    for judge, ballot in ballots.items():
        for place, label in enumerate(ballot.ranking):
            scores[slates[judge][label]] = scores.get(slates[judge][label], 0) + place
    return scores


def test_a_rule_by_dotted_path_that_disagrees_is_told_what_nobody_knows(folder, council):
    found = of(folder, f"{__name__}:worst")
    differ = [one for one in found.rounds if not one.same]
    assert differ and found.unknown == len(differ) and found.both.n == 0
    assert found.agreement.low < found.agreement.value < found.agreement.high
    said = council(folder, "replay", "--rule", f"{__name__}:worst").stdout
    assert "never ran" in said and "cannot be known" in said.replace("\n", " ")


def test_rounds_without_a_settled_run_are_counted_but_say_nothing_of_r(folder):
    measured = [one for one in of(folder, "borda").rounds if one.r_picked is not None]
    assert 0 < len(measured) <= 7 and all(-2 <= one.r_picked <= 3 for one in measured)


def test_replay_as_json_holds_every_round(folder, council):
    found = json.loads(council(folder, "replay", "--rule", "schulze", "--json").stdout)
    assert [one["round"] for one in found["rounds"]] == [1, 2, 3, 5, 6, 7, 8] and found["rule"] == "schulze"


@pytest.mark.parametrize("rule", ("borad", "council.judge.borda:nothing", "no.such.module:tally"))
def test_a_rule_that_does_not_exist_is_named(folder, rule):
    with pytest.raises(UsageError, match="rule"):
        of(folder, rule)
