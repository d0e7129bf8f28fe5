"""The closing of a session: fresh pairs on the vault, and what they may and may not say."""

from __future__ import annotations

import asyncio
import os
import re
import signal

import pytest

from council import closing, session
from council.session import Request, confirm
from council.store import Store
from council.types import Ballot
from tests.engine.faults import Killed
from tests.helpers import FakeExecutor, Planned, Ran, change


def first(brief, slate, turn):
    """A ballot that says of everything that it will help: what is measured then decides."""
    return Ballot(tuple(e.label for e in slate.entries), {e.label: 0.9 for e in slate.entries})


class Vault(FakeExecutor):
    """Also notes what it was asked: (experiment, split, seed)."""

    async def measure(self, job, progress):
        number = int(re.findall(r"-x(\d+)$", job.file.parent.parent.name)[0])
        self.asked.append((number, job.split, job.seed))
        return await super().measure(job, progress)


def closing_night(night, pairs="3", gain=3, rounds=1, script=None):
    """A session whose first round measures an edit worth `gain` hundredths, and which closes with `pairs`."""
    ann = {("propose", r): change(f"try {r}", GAIN=gain * r, WIDTH=64 + r) for r in range(1, rounds + 3)}
    lab = night(ann={**ann, "rank": first}, bob={"rank": first})
    lab.executor = Vault(script or {})
    lab.executor.asked = []
    yaml = lab.root / "council.yaml"
    yaml.write_text(yaml.read_text() + f"judge: {{closing_pairs: {pairs}}}\n")
    return lab


def vault(lab):
    """(experiment, whether it ran the baseline) of every closing run."""
    (opened,) = lab.rows("sessions")
    rows = lab.rows("experiments", "number", role="closing")
    return [(row["number"], row["parent"] == opened["commit"]) for row in rows]


def test_fresh_pairs_on_the_vault_take_turns_and_confirm_a_gain(night):
    lab = closing_night(night)
    assert lab.run(1).exit_code == 0
    assert vault(lab) == [(4, True), (5, False), (6, False), (7, True), (8, True), (9, False)]
    asked = {number: split for number, split, _ in lab.executor.asked}
    assert {asked[n] for n in range(4, 10)} == {"vault"} and {asked[n] for n in range(1, 4)} == {"validation"}
    assert len({seed for *_, seed in lab.executor.asked}) == 9
    row = lab.one("closings")
    assert row["confirmed"] and row["pairs"] == 3 and 0.02 < row["gain"] < 0.04 and 0 < row["low"] < row["gain"]
    assert row["inputs"]["pairs"] == [[4, 5], [7, 6], [8, 9]]
    assert lab.refs()["refs/council/k/best"] == lab.rows("books")[-1]["commit"]
    assert lab.one("session_ends")["summary"]["confirmed"] is True


def test_a_gain_that_fresh_runs_do_not_show_is_not_confirmed(night):
    lucky = {3: Ran(bpb=1.70), **{n: Ran(bpb=1.80) for n in range(4, 10)}}
    lab = closing_night(night, script=lucky)
    lab.run(1)
    row = lab.one("closings")
    assert lab.rows("verdicts")[0]["kind"] == "keep" and not row["confirmed"] and row["low"] < 0
    assert "refs/council/k/best" not in lab.refs()
    assert lab.one("session_ends")["summary"]["confirmed"] is False
    assert "no confirmed gain" in lab.said()


def test_a_session_still_on_its_baseline_has_nothing_to_confirm(night):
    lab = closing_night(night, gain=-3)
    lab.run(1)
    assert vault(lab) == [] and lab.rows("closings") == []
    assert lab.one("session_ends")["summary"] == {"confirmed": None}


def test_the_book_moves_by_a_closing_in_its_noise_alone(night):
    lab = closing_night(night)
    lab.run(1)
    *_, before, after = lab.rows("books")
    assert after["cause"] == "closing" and after["sigma"] == lab.one("closings")["sigma"] != before["sigma"]
    assert [after[k] for k in ("commit", "b", "v", "b_base", "v_base")] == [
        before[k] for k in ("commit", "b", "v", "b_base", "v_base")
    ]


@pytest.mark.parametrize("at", (1, 2, 3, 8, 12))
def test_a_killed_closing_goes_on_at_the_first_missing_run(night, monkeypatch, at):
    lab, count, write = closing_night(night), 0, Store.insert

    def dying(store, tbl, row):
        nonlocal count
        count += tbl in ("measurements", "experiments") and row["number"] > 3
        if count >= at:
            raise Killed
        return write(store, tbl, row)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "insert", dying)
        patch.setattr(session.Night, "_close", lambda self, code, reason: None)
        with pytest.raises(Killed):
            lab.run(1)
    done = {m["number"] for m in lab.rows("measurements")}
    lab.executor.measured.clear()
    lab.members = [Planned(m.name, m.replies) for m in lab.members]
    assert lab.run(1, resume="k").exit_code == 0
    assert lab.executor.measured == [n for n in range(4, 10) if n not in done]
    assert [n for n, _ in vault(lab)] == list(range(4, 10)) and lab.one("closings")["pairs"] == 3


def test_a_stop_during_a_closing_waits_for_one_run_and_goes_on_there(night):
    lab = closing_night(night)

    class Stops(Vault):
        async def measure(self, job, progress):
            found = await super().measure(job, progress)
            if self.measured[-1] == 5:
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(0.1)  # the loop hears of a signal on its next turns
            return found

    stops = Stops({})
    stops.asked, kept = [], lab.executor
    lab.executor = stops
    ending = lab.run(1)
    assert (ending.exit_code, ending.reason) == (130, "stopped during the closing")
    assert [n for n, _ in vault(lab)] == [4, 5] and lab.rows("closings") == []
    lab.executor = kept
    lab.members = [Planned(m.name, m.replies) for m in lab.members]
    assert lab.run(1, resume="k").exit_code == 0
    assert kept.measured == [6, 7, 8, 9] and lab.one("closings")["inputs"]["pairs"] == [[4, 5], [7, 6], [8, 9]]


def test_a_void_closing_run_is_repeated_and_a_second_one_pauses(night):
    lab = closing_night(night, script={5: Ran("void")})
    assert lab.run(1).exit_code == 0
    assert lab.one("closings")["inputs"]["pairs"] == [[4, 6], [8, 7], [9, 10]]
    dead = night("other", ann={("propose", 1): change("up", GAIN=3), "rank": first}, bob={"rank": first})
    (dead.root / "council.yaml").open("a").write("judge: {closing_pairs: 1}\n")
    dead.executor = FakeExecutor({n: Ran("void") for n in range(4, 12)})
    ending = dead.run(1)
    assert ending.exit_code == 1 and "paused" in ending.reason and dead.rows("closings") == []


@pytest.mark.parametrize(("experiments", "pairs"), [(19, 0), (20, 3)])
def test_auto_closes_with_three_pairs_from_twenty_experiments_on(experiments, pairs):
    assert sum(closing.rule.plan("auto", experiments).blocks) == pairs


def test_auto_says_nothing_of_a_short_session(night):
    lab = closing_night(night, pairs="auto")
    lab.run(1)
    assert lab.rows("closings") == [] and lab.one("session_ends")["summary"] == {"confirmed": None}


def test_auto_closes_a_session_of_twenty_experiments(night):
    lab = closing_night(night, pairs="auto", gain=1, rounds=18)
    lab.run(18)
    assert len(vault(lab)) == 6 and lab.one("closings")["pairs"] == 3


@pytest.mark.parametrize(("first_gain", "runs", "confirmed"), [(0.1, 6, True), (0.002, 12, True), (-0.002, 6, False)])
def test_a_second_block_runs_only_after_a_gain_that_is_unconfirmed(night, first_gain, runs, confirmed):
    base = {4, 7, 8, 11, 12, 15}
    script = {n: Ran(bpb=1.8 if n in base else 1.8 - (first_gain if n < 10 else 0.1)) for n in range(4, 16)}
    lab = closing_night(night, pairs="3+3", script={3: Ran(bpb=1.70), **script})
    lab.run(1)
    row = lab.one("closings")
    assert (len(vault(lab)), row["confirmed"], row["inputs"]["level"]) == (runs, int(confirmed), 0.95)


def test_confirm_closes_at_any_time_and_again_with_fresh_runs(night):
    lab = closing_night(night, pairs="0")
    lab.run(1)
    assert vault(lab) == []
    asked = Request(root=lab.root, config=lab.root / "council.yaml", resume="k")
    for closings, level in ((1, "90"), (2, "95"), (3, "97.5")):
        ending = confirm(asked, 2, lab.events.append)
        assert ending.exit_code == 0 and ending.reason.startswith("confirmed gain")
        assert f"({2 * closings} fresh pairs, look {closings} at {level} %)" in ending.reason
        assert len(lab.rows("closings")) == closings and len(vault(lab)) == 4 * closings
    first_row, second_row, _ = lab.rows("closings")
    assert not {*first_row["inputs"]["numbers"]} & {*second_row["inputs"]["numbers"]}


def test_a_closed_session_that_goes_on_without_a_trial_runs_nothing(night):
    lab = closing_night(night)
    lab.run(1)
    closings, runs = lab.rows("closings"), len(lab.rows("experiments"))
    for _ in range(2):
        lab.members = [Planned(m.name, m.replies) for m in lab.members]
        assert lab.run(1, resume="k").exit_code == 0
    assert lab.rows("closings") == closings and len(lab.rows("experiments")) == runs
    assert [end["summary"]["confirmed"] for end in lab.rows("session_ends")] == [True] * 3


def test_a_trial_that_was_discarded_since_makes_the_next_closing_a_second_look(night):
    lab = closing_night(night, rounds=2)
    lab.run(1)
    lab.executor.script = {10: Ran(bpb=1.9)}
    lab.members = [Planned(m.name, m.replies) for m in lab.members]
    lab.run(2, resume="k")
    assert [(c["pairs"], c["inputs"]["look"]) for c in lab.rows("closings")] == [(3, 1), (6, 2)]


def test_another_incumbent_is_looked_at_for_the_first_time(night):
    lab = closing_night(night, rounds=2)
    lab.run(1)
    lab.members = [Planned(m.name, m.replies) for m in lab.members]
    lab.run(2, resume="k")
    assert lab.rows("verdicts")[-1]["kind"] == "keep"
    assert [(c["pairs"], c["inputs"]["look"]) for c in lab.rows("closings")] == [(3, 1), (3, 1)]


def test_confirm_says_when_there_is_no_gain_to_confirm(night):
    lab = closing_night(night, gain=-3)
    lab.run(1)
    asked = Request(root=lab.root, config=lab.root / "council.yaml", resume="k")
    assert "no gain to confirm" in confirm(asked, "3+3", lab.events.append).reason


def test_no_number_of_a_closing_reaches_a_brief(night):
    lab = closing_night(night)
    lab.run(1)
    lab.members = [Planned(m.name, m.replies) for m in lab.members]
    lab.run(2, resume="k")
    (brief, _turn), *_ = lab.members[0].turns("propose", 2)
    secret = {row["val_bpb"] for row in lab.rows("measurements") if 4 <= row["number"] <= 9}
    assert all(past.number not in range(4, 10) and past.role != "closing" for past in brief.history)
    assert not secret & {past.bpb for past in brief.history} and brief.best not in secret
