"""What a session was opened with holds when it goes on, unless the new command line says otherwise."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import datetime, timedelta

import pytest

from council import plan, session, stops, terms
from council.errors import MachineFault, UsageError
from tests.engine.faults import Fault, Killed
from tests.helpers import change

ANN = {("propose", n): change(GAIN=n, WIDTH=64 + n) for n in range(1, 6)}


@pytest.fixture
def lab(night):
    return night(ann=ANN, bob={})


def planned(lab, resume="k", **request):
    return session.plan(session.Request(lab.root, lab.root / "council.yaml", resume=resume, **request))


def ready(lab, **request):
    return plan.prepare(session.Request(lab.root, lab.root / "council.yaml", resume="k", **request))


def ago(**time):
    """An hour of the clock that long ago."""
    return f"{datetime.now() - timedelta(**time):%H:%M}"


@pytest.fixture
def clock(monkeypatch):
    """Sets what time it is for whoever asks for the hour to stop."""

    def at(moment):
        class Clock(datetime):
            @classmethod
            def now(cls):
                return moment

        for module in (plan, terms, session):
            monkeypatch.setattr(module, "datetime", Clock)

    return at


def test_rounds_cap_and_budget_are_those_it_was_opened_with(lab):
    lab.run(rounds=2, budget=1.0, max_usd=0.3)
    found = ready(lab).config
    assert (found.stop.rounds, found.stop.max_usd, found.lab.budget) == (2, 0.3, 1.0)
    assert planned(lab).budget == 1.0 and planned(lab).rounds == 2
    found = ready(lab, rounds=12, budget=2.0, max_usd=5.0).config
    assert (found.stop.rounds, found.stop.max_usd, found.lab.budget) == (12, 5.0, 2.0)


def test_a_council_yaml_that_changed_does_not_change_the_stops_of_a_session(lab):
    lab.run(rounds=2)
    file = lab.root / "council.yaml"
    file.write_text(f"{file.read_text()}stop: {{rounds: 50, max_usd: null}}\nlab: {{budget: 7}}\n")
    found = ready(lab).config
    assert (found.stop.rounds, found.stop.max_usd, found.lab.budget) == (2, 20.0, "auto")


def test_a_killed_session_ends_after_the_rounds_it_was_opened_for(lab):
    with pytest.MonkeyPatch.context() as patch:
        Fault(12, "after a commit").install(patch)
        with pytest.raises(Killed):
            lab.run(rounds=1)
    assert lab.run(rounds=None, resume="k").reason == "1 round done"
    assert len(lab.rows("rounds")) == 1


def test_a_round_that_has_begun_is_finished_though_the_session_was_opened_for_fewer(lab):
    lab.run(rounds=1)
    with pytest.MonkeyPatch.context() as patch:
        Fault(6, "after a commit").install(patch)
        with pytest.raises(Killed):
            lab.run(rounds=5, resume="k")
    assert [row["round"] for row in lab.rows("rounds")] == [1, 2] and len(lab.rows("verdicts")) == 1
    assert lab.run(rounds=None, resume="k").exit_code == 0
    assert lab.rows("session_ends")[-1]["rounds"] == 2 and len(lab.rows("verdicts")) == 2


def test_offline_is_remembered_and_can_be_taken_back(lab, monkeypatch):
    lab.run(rounds=1, offline=True)
    seen = []
    members = {m.name: m for m in lab.members}
    monkeypatch.setattr(plan, "members_of", lambda config, offline: seen.append(offline) or (members, {}))
    told = planned(lab)
    planned(lab, offline=False)
    planned(lab, resume=None, session="new")
    assert seen == [True, False, False] and any("--online" in note for note in told.notes)


def test_the_hour_to_stop_is_the_moment_it_was_when_the_session_was_opened(lab, clock):
    opened = datetime.now()
    hour = f"{opened + timedelta(hours=2):%H:%M}"
    lab.run(rounds=2, until=hour)
    clock(opened + timedelta(hours=1))
    moment = stops.until(hour, opened)
    assert ready(lab, rounds=9).terms.until == moment
    assert planned(lab, rounds=9).until == f"{moment:%Y-%m-%d %H:%M}"


def test_a_session_whose_hour_is_over_says_so_and_asks_until_when_it_shall_go_on(lab, clock):
    opened = datetime.now()
    lab.run(rounds=1, until=f"{opened + timedelta(hours=2):%H:%M}")
    clock(opened + timedelta(hours=3))
    with pytest.raises(UsageError, match="the hour to stop of session k is over") as caught:
        lab.run(rounds=4, resume="k")
    assert "--until HH:MM" in caught.value.hint and len(lab.rows("rounds")) == 1
    assert ready(lab, rounds=4, until="never").terms.until is None
    later = ready(lab, rounds=4, until=f"{opened + timedelta(hours=4):%H:%M}").terms.until
    assert later is not None and later > opened + timedelta(hours=3)
    assert ready(lab).terms.until is None  # all its rounds are done: only the closing may be owed
    assert ready(lab, rounds=4, confirm=True)


def test_never_drops_the_hour_of_council_yaml(lab):
    file = lab.root / "council.yaml"
    file.write_text(f'{file.read_text()}stop: {{until: "07:30"}}\n')
    lab.run(rounds=1, until="never")
    assert lab.one("sessions")["config"]["stop"]["until"] is None


def test_a_session_that_is_done_says_how_to_go_further(lab):
    lab.run(rounds=2)
    assert any("all its rounds are done" in note and "--rounds 8" in note for note in planned(lab).notes)
    assert not any("are done" in note for note in planned(lab, rounds=3).notes)
    assert lab.run(rounds=None, resume="k").exit_code == 0 and len(lab.rows("rounds")) == 2


def test_a_session_that_recorded_no_stops_takes_those_of_today(lab):
    lab.run(rounds=1)
    old = {**lab.one("sessions"), "config": {}, "at": 0.0}
    config = ready(lab).config.override(rounds=7, until=ago(hours=1))
    request = session.Request(lab.root, lab.root / "council.yaml", resume="k")
    found = terms.agreed(request, config, old)
    assert (found.config.stop.rounds, found.offline) == (7, False)
    assert found.until is not None and found.until > datetime.now()


def test_built_in_members_do_not_go_on_unsandboxed_with_the_edit_of_a_stranger(night, monkeypatch):
    lab = night(ann=ANN, bob={})
    file = lab.root / "council.yaml"
    strangers = file.read_text()
    monkeypatch.setattr(plan, "tier_here", lambda asked: ("none", "broken"))
    file.write_text(built_in := strangers.replace("council.testing.scripted:ScriptedMember", "random"))
    lab.run(rounds=1, offline=True)
    assert ready(lab, rounds=2).sandbox == "none"
    file.write_text(strangers)
    lab.run(rounds=1, session="strange", accept_unsandboxed=True)
    file.write_text(built_in)
    with pytest.raises(MachineFault, match="unsandboxed"):
        planned(lab, "strange", rounds=2, offline=True)


@pytest.mark.parametrize(("kind", "refused"), [("random", False), ("litellm", True)])
def test_a_model_on_this_machine_does_not_run_unsandboxed_because_it_needs_no_network(
    night, monkeypatch, kind, refused
):
    lab = night(ann=ANN, bob={})
    file, model = lab.root / "council.yaml", ", model: ollama/qwen3" if kind == "litellm" else ""
    told = file.read_text().replace("'council.testing.scripted:ScriptedMember'", "random")
    file.write_text(told.replace("name: ann, kind: random", f"name: ann, kind: {kind}{model}"))
    monkeypatch.setattr(plan, "tier_here", lambda asked: ("none", "broken"))
    with pytest.raises(MachineFault, match="unsandboxed") if refused else nullcontext():
        lab.run(rounds=1, offline=True)
