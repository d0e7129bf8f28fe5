"""`council compare`: members paired by round, sessions by their fresh pairs; never more than the data say."""

from __future__ import annotations

import json
import math

import pytest

from council.judge.student import quantile
from council.store import Store
from council.views import duel
from tests.test_audit_learning import closed_night
from tests.test_audit_looks import looked_twice
from tests.test_audit_night import Fake, Planned, run
from tests.test_audit_tamper import sql, tamper


def opened(folder):
    return Store(folder / ".council/council.db", read_only=True)


def test_two_members_are_paired_by_the_rounds_both_stood_in(tmp_path):
    found = duel.members(opened(closed_night(tmp_path)), "ann", "bob")
    assert found.rounds == 3 and sum(found.picked) <= 3
    assert found.expected.low < found.expected.value < found.expected.high
    assert found.ranked.n == 3 and -0.5 <= found.ranked.value <= 0.5


def test_turning_the_members_round_turns_every_difference_round(tmp_path):
    store = opened(closed_night(tmp_path))
    one, other = duel.members(store, "ann", "bob"), duel.members(store, "bob", "ann")
    assert one.expected.value == pytest.approx(-other.expected.value)
    assert one.ranked.value == pytest.approx(-other.ranked.value)
    assert one.picked == other.picked[::-1]


def test_judges_put_one_above_the_other_by_their_rankings(tmp_path):
    folder = closed_night(tmp_path)
    before = duel.members(opened(folder), "ann", "bob").ranked
    tamper(folder, sql("UPDATE forecasts SET p = 0.5"), rebuild=False)
    assert duel.members(opened(folder), "ann", "bob").ranked == before
    turned = "json_array(json_extract(ranking, '$[1]'), json_extract(ranking, '$[0]'))"
    tamper(folder, sql(f"UPDATE ballots SET ranking = {turned}"), rebuild=False)
    after = duel.members(opened(folder), "ann", "bob").ranked
    assert before.value == 0.5 and after.value == pytest.approx(-0.5)
    assert before.interval.low < 0.1 < before.interval.high, "three votes that agree are no proof"


class Other(Planned):
    """Another kind of member."""


def test_of_a_name_whose_member_changed_the_newest_is_compared(tmp_path):
    folder = closed_night(tmp_path)
    yaml = folder / "council.yaml"
    text = yaml.read_text().replace("pairs: 3", "pairs: 0")
    yaml.write_text(text.replace('bob, kind: "tests.test_audit_night:Planned"', f'bob, kind: "{__name__}:Other"'))
    run(folder, Fake([1.0, 1.004, 1.1, 1.2]), session="other", rounds=2)
    found = duel.members(opened(folder), "ann", "bob")
    assert (found.rounds, found.a.proposals, found.b.proposals) == (2, 5, 2)
    assert duel.members(opened(folder), "ann", "cyd").rounds == 5
    assert duel.members(opened(folder), "ann", "bob", "night").rounds == 3


def test_members_as_lines_and_as_json(tmp_path, council):
    folder = closed_night(tmp_path)
    said = council(folder, "compare", "ann", "cyd")
    assert said.exit_code == 0 and "90 % intervals" in said.stdout and "not paired" in said.stdout
    assert json.loads(council(folder, "compare", "ann", "cyd", "--json").stdout)["rounds"] == 3


def test_somebody_unknown_is_named_with_who_is_there(tmp_path, council):
    told = council(closed_night(tmp_path), "compare", "ann", "zoe")
    assert told.exit_code == 2 and "zoe" in told.output and "bob" in told.output


def test_sessions_are_compared_by_fresh_pairs_with_an_interval(tmp_path, council):
    folder = closed_night(tmp_path)
    script = [1.0, 1.004, 0.985, *(1.0, 0.97, 0.97, 1.0, 1.0, 0.97)]
    run(folder, Fake(script), session="other", rounds=1)
    found = json.loads(council(folder, "compare", "other", "night", "--json").stdout)
    gap = found["difference"]
    assert gap["value"] == pytest.approx(0.030 - 0.016) and gap["low"] < gap["value"] < gap["high"]
    assert "less that of night" in council(folder, "compare", "other", "night").stdout.replace("\n", " ")


def test_a_session_without_fresh_pairs_gets_no_interval(tmp_path, council):
    folder = closed_night(tmp_path)
    (folder / "council.yaml").write_text((folder / "council.yaml").read_text().replace("pairs: 3", "pairs: 0"))
    run(folder, Fake([1.0, 1.004, 0.985]), session="other", rounds=1)
    said = council(folder, "compare", "night", "other").stdout.replace("\n", " ")
    assert "unconfirmed" in said and "council confirm --session other." in said


def test_a_session_that_ended_on_its_baseline_gained_exactly_nothing(tmp_path, council):
    folder = closed_night(tmp_path)
    run(folder, Fake([1.0, 1.004, 1.5]), session="other", rounds=1)
    found = json.loads(council(folder, "compare", "night", "other", "--json").stdout)
    gap, gain = found["difference"], found["closings"][0]["gain"]
    assert gap == pytest.approx(gain) and gap["value"] == pytest.approx(0.016)
    said = council(folder, "compare", "night", "other").stdout
    assert "none: its baseline" in said and "council confirm" not in said
    run(folder, Fake([1.0, 1.004, 1.5]), session="third", rounds=1)
    assert "neither gained" in council(folder, "compare", "other", "third").stdout


def test_a_closing_of_code_that_was_given_up_says_nothing_of_the_end(tmp_path):
    folder = closed_night(tmp_path)
    (folder / "council.yaml").write_text((folder / "council.yaml").read_text().replace("pairs: 3", "pairs: 0"))
    run(folder, Fake([0.982, 0.9]), resume="night", rounds=5)  # another edit is kept and never closed
    assert duel.confirmed(opened(folder), 1) is None


def test_a_second_look_has_a_wider_interval(tmp_path):
    store = opened(looked_twice(tmp_path))
    found, row = duel.confirmed(store, 1), store.rows("closings")[-1]
    half = quantile(0.975, found.freedom) * row["sigma"] * math.sqrt(2 / 6)
    assert (found.look, found.pairs) == (2, 6) and found.gain.high - found.gain.value == pytest.approx(half)


def test_sessions_under_other_conditions_do_not_compare(tmp_path, council):
    folder = closed_night(tmp_path)
    run(folder, Fake([1.0, 1.004, 0.985, *[1.0, 0.97, 0.97, 1.0, 1.0, 0.97]], {"device": "x"}), session="b", rounds=1)
    found = json.loads(council(folder, "compare", "night", "b", "--json").stdout)
    assert found["difference"] is None and found["differs"]


def test_the_interval_of_a_difference_adds_both_variances():
    gain = duel.Interval(0.02, 0.01, 0.03)
    one = duel.Confirmed(gain, 3, 0.009, 10**6, True)
    found = duel.difference(one, one)
    assert found.value == 0 and found.high == pytest.approx(1.645 * 0.009 * math.sqrt(4 / 3), rel=1e-3)
