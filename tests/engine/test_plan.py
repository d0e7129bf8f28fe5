"""What the plan says before a start: how long it takes with whom, and how far the dollars reach."""

from __future__ import annotations

from contextlib import closing

import pytest

from council import importing, pace, session, spend
from council.errors import ConfigError, UsageError
from council.store import Store, now
from council.ui import status
from tests.helpers import Planned, change

DOLLARS = 0.10


class Model(Planned):
    """A member that counts as a language model and costs ten cents a round."""

    is_llm = True
    timeout = 280.0

    def __init__(self, name, replies=None):
        super().__init__(name, replies)
        self.model = "slow-1"

    def estimate(self, brief, others):
        return DOLLARS


@pytest.fixture
def lab(night):
    return night(ann={"propose": change(GAIN=1)}, bob={}, cat={})


def planned(lab, *paid, **request):
    lab.members = [Model(m.name, m.replies) if m.name in paid else Planned(m.name, m.replies) for m in lab.members]
    lab.run(1, session="first") if not (lab.root / ".council" / "council.db").exists() else None
    return session.plan(session.Request(lab.root, lab.root / "council.yaml", **request))


def answered(lab, member, model, seconds):
    """Record replies of a round that took these seconds."""
    with closing(Store(lab.root / ".council" / "council.db")) as store, store.atomic():
        turn = len(store.rows("calls"))
        for step, took in enumerate(seconds):
            where = {"session": 1, "round": 1, "step": f"step {step}", "member": member, "attempt": 1}
            sent = {"at": now(), "provider": "p", "model": model, "request": {}, "reserved_usd": 0.0}
            call = store.insert("calls", {**where, "turn": turn + step + 1, **sent})
            counts = dict.fromkeys(("tokens_in", "tokens_cached", "tokens_out"), 1)
            reply = {"call": call, "at": now(), "status": "ok", "text": "", "cost_usd": 0.0, "seconds": took}
            store.insert("replies", {**reply, **counts})


def test_language_models_take_minutes_a_round_and_built_in_members_seconds(lab):
    assert planned(lab, rounds=10).waiting == 10 * pace.AROUND
    assert planned(lab, "ann", rounds=10).waiting == 10 * (pace.AROUND + pace.QUESTIONS * pace.ANSWER)


def test_the_estimate_is_of_the_slowest_member_as_its_replies_were_timed(lab):
    planned(lab)
    answered(lab, "ann", "slow-1", [100.0, 250.0])
    answered(lab, "bob", "slow-1", [20.0])
    assert planned(lab, "ann", "bob", rounds=10).waiting == pytest.approx(10 * (pace.AROUND + 350))
    assert planned(lab, "bob", rounds=10).waiting == pytest.approx(10 * (pace.AROUND + 20))


def test_another_model_of_the_same_name_was_not_timed(lab):
    planned(lab)
    answered(lab, "ann", "quick-1", [1.0])
    assert planned(lab, "ann", rounds=1).waiting == pace.AROUND + pace.QUESTIONS * pace.ANSWER


def test_the_time_is_of_the_rounds_that_the_cap_buys_where_the_session_ends_without_dollars(lab):
    found = planned(lab, "ann", "bob", rounds=100, max_usd=1.01)
    assert found.ahead == 5 and found.waiting == pytest.approx(5 * pace.a_round({"a": Model("a")}, {}))
    assert any("5 of 100 rounds" in note and "the session ends" in note for note in found.notes)


def test_free_members_go_on_for_all_rounds_when_the_dollars_are_spent(lab):
    found = planned(lab, "ann", rounds=100, max_usd=0.51)
    dear = pace.a_round({"a": Model("a")}, {})
    assert found.ahead == 100 and found.waiting == pytest.approx(5 * dear + 95 * pace.AROUND)
    assert any("bob and cat go on alone" in note for note in found.notes)


def test_a_cap_that_buys_no_round_says_what_happens_then():
    said = spend.sentence(0.4, 100, 0.30)
    assert "does not buy one whole round" in said and "the session ends after the round at hand" in said
    said = spend.sentence(0.4, 100, 0.30, 0.25, ("random", "textbook"))
    assert "$0.30 ($0.25 of it spent)" in said and "random and textbook go on alone" in said


def test_a_long_night_is_told_how_to_end_at_an_hour(lab):
    told = " ".join(status.plan(planned(lab, "ann", rounds=100)))
    assert "h" in told.split("about ")[1].split(" in all")[0] and "--until HH:MM ends it sooner" in told
    told = " ".join(status.plan(planned(lab, "ann", rounds=100, until="07:30")))
    assert "ends it sooner" not in told and "No round begins after" in told
    assert "--until" not in " ".join(status.plan(planned(lab, rounds=2)))


def test_a_session_without_rounds_left_is_told_no_time_and_no_price(lab):
    planned(lab)
    told = " ".join(status.plan(planned(lab, "ann", rounds=1, resume="")))
    assert "in all" not in told and "$" not in told


def test_a_plan_to_go_on_tells_the_judges_and_the_rule_that_will_count(lab):
    lab.run(1)
    file = lab.root / "council.yaml"
    file.write_text(f"{file.read_text()}judge: {{rule: borda}}\n")
    found = planned(lab, "ann", "bob", rounds=2, resume="k")
    assert (found.judges, found.rule) == (("ann", "bob", "cat"), "forecast")
    found = planned(lab, "ann", "bob", rounds=2)
    assert (found.judges, found.rule) == (("ann", "bob"), "borda")
    lab.members = [m for m in lab.members if m.name != "cat"]
    assert planned(lab, rounds=2, resume="k").judges == ("ann", "bob")


@pytest.mark.parametrize(
    ("line", "where"), [("program: nope.md", "program: "), ("judge: {rule: 'nope:rule'}", "judge.rule: ")]
)
def test_what_council_yaml_names_and_is_not_there_is_told_with_its_line(lab, line, where):
    file = lab.root / "council.yaml"
    file.write_text(f"{file.read_text()}{line}\n")
    number = len(file.read_text().splitlines())
    with pytest.raises(ConfigError) as caught:
        planned(lab)
    assert f"council.yaml:{number}: {where}" in caught.value.message


def test_the_name_of_an_imported_log_is_taken_and_cannot_be_gone_on_with(lab):
    log = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\na1b2c3d\t0.9979\t44.0\tkeep\tbaseline\n"
    with closing(Store(lab.root / ".council" / "council.db")) as store:
        lines, _ = importing.parse(log)
        importing.session_of(store, "log", "results.tsv", log, lines, importing.Noise(0.001, "given"))
    with pytest.raises(UsageError, match="the session log exists") as caught:
        planned(lab, session="log")
    assert "resume" not in caught.value.hint
