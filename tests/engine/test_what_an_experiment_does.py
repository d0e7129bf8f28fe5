"""How experiments may end, what follows from it, and what each end settles."""

from __future__ import annotations

from dataclasses import replace

import pytest

from council.errors import BaselineError
from council.executors.base import Job, Progress
from council.types import Ballot, Measurement
from tests.helpers import FakeExecutor, Ran, change, prefer

EARLY = Ran("crash", seconds=5.0, log="Traceback: no such thing")
TWO = {"ann": {"propose": change(GAIN=1), "rank": prefer()}, "bob": {}}


def trials(count=3):
    """Members of whom `ann` always has a new edit."""
    return {"ann": {("propose", n): change(GAIN=n) for n in range(1, count + 1)}, "bob": {}}


@pytest.mark.parametrize(
    ("ran", "kind"),
    [
        (Ran("crash", seconds=60), "crash"),
        (Ran("oom", seconds=2), "crash"),
        (Ran("timeout", seconds=90), "crash"),
        (Ran("rejected", seconds=2), "rejected"),
    ],
)
def test_an_edit_that_fails_settles_as_the_worst_and_leaves_the_book(night, ran, kind):
    lab = night(**TWO, executor=FakeExecutor({3: ran}))
    assert lab.run().exit_code == 0
    verdict = lab.one("verdicts")
    assert (verdict["kind"], verdict["settles"], verdict["bpb"], verdict["delta"]) == (kind, 1, None, None)
    assert {(s["judge"], s["r"], s["outcome"]) for s in lab.rows("settlements")} == {("ann", -2, 0), ("bob", -2, 0)}
    assert len(lab.rows("books")) == 1
    assert lab.refs()["refs/heads/council/k"] == lab.one("sessions")["commit"]
    assert not lab.members[0].turns("repair")
    assert lab.runs()[-1] == ("trial", ran.status)


def test_an_early_crash_goes_back_once_and_its_repair_settles_with_the_votes_of_the_original(night):
    lab = night(
        ann={"propose": change("first", GAIN=1, forecast=0.9), "repair": change("mended", GAIN=5)},
        bob={"rank": lambda brief, slate, turn: Ballot(("A",), {"A": 0.8})},
        executor=FakeExecutor({3: EARLY}),
    )
    lab.run()
    assert lab.runs()[2:] == [("trial", "crash"), ("repair", "ok")]
    ((_, old, reason, turn),) = lab.members[0].turns("repair")
    assert old.title == "first" and "no such thing" in reason and turn.step == "late_repair"
    first, second = lab.rows("proposals")
    assert (second["step"], second["replaces"]) == ("late_repair", first["id"])
    crash, kept = lab.rows("verdicts")
    assert (crash["kind"], crash["settles"]) == ("crash", 0) and "its author repaired it" in crash["reason"]
    assert (kept["kind"], kept["settles"]) == ("keep", 1)
    settled = {row["judge"]: (row["number"], row["proposal"], row["p"]) for row in lab.rows("settlements")}
    assert settled == {"ann": (4, second["id"], 0.9), "bob": (4, second["id"], 0.8)}


def test_what_a_run_printed_with_the_training_text_at_hand_is_not_told_to_its_author(night):
    lab = night(
        ann={"propose": change("first", GAIN=1, forecast=0.9), "repair": change("mended", GAIN=5)},
        bob={},
        executor=FakeExecutor({3: replace(EARLY, has_text=True)}),
    )
    lab.run()
    ((_, _, reason, _),) = lab.members[0].turns("repair")
    assert reason and EARLY.log not in reason
    (log,) = [row["tail"] for row in lab.rows("logs") if row["number"] == 3]
    assert log == EARLY.log


@pytest.mark.parametrize("repair", [None, change("same", GAIN=1), RuntimeError("?")])
def test_an_early_crash_whose_author_has_no_valid_repair_settles_itself(night, repair):
    lab = night(ann={"propose": change(GAIN=1), "repair": repair}, bob={}, executor=FakeExecutor({3: EARLY}))
    lab.run()
    assert lab.runs()[2:] == [("trial", "crash")]
    assert lab.one("verdicts")["settles"] == 1 and len(lab.rows("settlements")) == 2
    assert len(lab.members[0].turns("repair")) == 1


def test_a_repair_that_crashes_is_not_repaired_again(night):
    members = {"ann": {"propose": change(GAIN=1), "repair": change(GAIN=5)}, "bob": {}}
    lab = night(**members, executor=FakeExecutor({3: EARLY, 4: EARLY}))
    lab.run()
    assert lab.runs()[2:] == [("trial", "crash"), ("repair", "crash")]
    assert [(v["number"], v["settles"]) for v in lab.rows("verdicts")] == [(3, 0), (4, 1)]


def test_a_void_is_repeated_once_as_a_new_number_and_seed(night):
    lab = night(**TWO, executor=FakeExecutor({3: Ran("void")}))
    lab.run()
    assert lab.runs()[2:] == [("trial", "void"), ("trial", "ok")]
    third, fourth = lab.rows("experiments", "number")[2:]
    assert third["proposal"] == fourth["proposal"] and third["seed"] != fourth["seed"]
    assert [(v["number"], v["kind"], v["settles"]) for v in lab.rows("verdicts")][0] == (3, "void", 0)
    assert {row["number"] for row in lab.rows("settlements")} == {4}


def test_two_voids_settle_nothing_and_the_night_goes_on(night):
    lab = night(**trials(2), executor=FakeExecutor({3: Ran("void"), 4: Ran("void")}))
    assert lab.run(rounds=2).exit_code == 0
    assert lab.runs()[2:] == [("trial", "void"), ("trial", "void"), ("trial", "ok")]
    assert {row["number"] for row in lab.rows("settlements")} == {5}
    assert len(lab.rows("books")) == 2


def test_two_failures_running_make_the_incumbent_run_again(night):
    lab = night(**trials(3), executor=FakeExecutor({3: Ran("oom"), 4: Ran("timeout")}))
    assert lab.run(rounds=3).exit_code == 0
    assert [(e["round"], e["role"]) for e in lab.rows("experiments")][2:] == [
        (1, "trial"), (2, "trial"), (2, "replicate"), (3, "trial"),
    ]  # fmt: skip


def test_when_the_incumbent_fails_too_the_machine_is_at_fault_and_the_session_pauses(night):
    script = {n: Ran("crash", seconds=60) for n in (3, 4, 5)}
    lab = night(**trials(3), executor=FakeExecutor(script))
    ending = lab.run(rounds=3)
    assert ending.exit_code == 1
    assert "paused" in ending.reason and "The machine is at fault, not the edits" in ending.reason
    assert "council run --resume k" in ending.reason and "council doctor" in ending.reason
    assert lab.one("session_ends")["exit_code"] == 1


def test_a_paused_session_tries_the_incumbent_again_on_resume(night):
    script = {n: Ran("crash", seconds=60) for n in (3, 4, 5, 6)}
    lab = night(**trials(3), executor=FakeExecutor(script))
    assert lab.run(rounds=3).exit_code == 1
    assert lab.run(rounds=3, resume="k").exit_code == 1
    assert lab.run(rounds=3, resume="k").exit_code == 0
    assert [(e["round"], e["role"]) for e in lab.rows("experiments")][2:] == [
        (1, "trial"), (2, "trial"), (2, "replicate"), (2, "replicate"), (2, "replicate"), (3, "trial"),
    ]  # fmt: skip
    assert sorted(lab.executor.measured) == list(range(1, 9))


def test_a_machine_that_spoils_every_run_pauses_the_session(night):
    script = {n: Ran("void") for n in range(3, 20)}
    lab = night(**trials(3), executor=FakeExecutor(script))
    assert lab.run(rounds=3).exit_code == 1
    assert [role for role, _ in lab.runs()[2:]] == ["trial"] * 4 + ["replicate"] * 2


@pytest.mark.parametrize("number", [1, 2])
def test_a_baseline_that_does_not_run_is_said_in_clear_words(night, number):
    lab = night(**TWO, executor=FakeExecutor({number: Ran("crash", seconds=60)}))
    with pytest.raises(BaselineError) as caught:
        lab.run()
    text = str(caught.value)
    assert "the baseline itself does not run: crash: it ended: crash" in text and "Mend lab/train.py" in text
    assert "--resume" not in text and caught.value.exit_code == 1


def test_a_baseline_that_the_machine_spoils_is_tried_again_and_then_pauses(night):
    lab = night(**TWO, executor=FakeExecutor({1: Ran("void"), 3: Ran("void")}))
    ending = lab.run()
    assert (ending.exit_code, lab.runs()) == (1, [("baseline", "void"), ("baseline", "ok"), ("baseline", "void")])
    assert "could not be measured" in ending.reason
    assert lab.run(resume="k").exit_code == 0
    assert lab.rows("books")[0]["since"] == 2


ELSEWHERE = {"machine": "another", "budget": 1.0}


def test_under_changed_conditions_the_baseline_and_the_incumbent_are_measured_again(night):
    lab = night(**trials(3))
    lab.run(rounds=1)
    assert lab.rows("verdicts")[0]["kind"] == "keep" or lab.rows("verdicts")[0]["kind"] == "discard"
    kept = lab.rows("books")[-1]["commit"]
    lab.executor.conditions = ELSEWHERE
    lab.run(rounds=3, resume="k")
    second = lab.rows("verdicts")[1]
    assert second["kind"] == "void" and "machine was fake, is another" in second["reason"] and not second["settles"]
    start = lab.rows("books", cause="start")[1]
    again = [e for e in lab.rows("experiments", "number") if e["number"] > 4][:2]
    assert [e["role"] for e in again] == ["baseline", "baseline"] and start["since"] == again[0]["number"]
    if kept != lab.one("sessions")["commit"]:
        assert [e["commit"] != "" and e["role"] for e in lab.rows("experiments", "number")][6:8] == ["replicate"] * 2
    last = lab.rows("verdicts")[-1]
    assert last["kind"] in ("keep", "discard") and last["booked_before"] == pytest.approx(start["b"])


def test_another_budget_on_resume_measures_the_baseline_again_before_anything_else(night):
    lab = night(**trials(3))
    lab.run(rounds=1, budget=1.0)
    lab.run(rounds=2, resume="k", budget=2.0)
    assert [(e["role"], e["budget"]) for e in lab.rows("experiments", "number")][3:5] == [("baseline", 2.0)] * 2
    assert "void" not in {v["kind"] for v in lab.rows("verdicts")}
    trial = lab.rows("experiments", "number")[-1]
    assert (trial["role"], trial["budget"]) == ("trial", 2.0)
    assert lab.rows("verdicts")[-1]["booked_before"] == pytest.approx(lab.rows("books", cause="start")[-1]["b"])


def test_without_another_budget_a_resumed_session_keeps_its_own(night):
    lab = night(**trials(2))
    lab.run(rounds=1, budget=3.0)
    lab.run(rounds=2, resume="k")
    assert {e["budget"] for e in lab.rows("experiments")} == {3.0}
    assert len(lab.rows("books", cause="start")) == 1


def test_conditions_that_never_settle_pause_the_session(night):
    script = {n: Ran(conditions={"machine": n}) for n in range(1, 20)}
    lab = night(**TWO, executor=FakeExecutor(script))
    ending = lab.run()
    assert ending.exit_code == 1 and "the conditions keep changing" in ending.reason


class Timed(FakeExecutor):
    """Says on which device it scored and how long that took, and keeps what it was asked."""

    device, seconds = "cuda", 40.0

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Job] = []

    async def measure(self, job: Job, progress: Progress) -> Measurement:
        self.jobs.append(job)
        found = await super().measure(job, progress)
        return replace(found, raw={**found.raw, "device": self.device, "eval_seconds": self.seconds})


def test_new_code_may_score_for_twice_as_long_as_the_code_it_is_compared_with(night):
    lab = night(**trials(2), executor=Timed())
    lab.run(rounds=2)
    roles = [role for role, _ in lab.runs()]
    assert [job.max_eval_seconds for job, role in zip(lab.executor.jobs, roles, strict=True)] == [
        80.0 if role == "trial" else None for role in roles
    ]
    assert [job.is_baseline for job in lab.executor.jobs] == [role == "baseline" for role in roles]
    assert "trial" in roles and "baseline" in roles


def test_on_a_gpu_what_would_be_booked_is_looked_at_more_closely(night):
    lab = night(**trials(1), executor=Timed())
    lab.run()
    booked = lab.rows("books")[0]["b"]
    assert [job.thorough_below for job in lab.executor.jobs] == [None] * (len(lab.executor.jobs) - 1) + [booked]


def test_on_a_cpu_a_busy_machine_ends_no_honest_scoring_and_nothing_more_is_looked_at(night):
    executor = Timed()
    executor.device, executor.seconds = "cpu", 2.0
    lab = night(**trials(1), executor=executor)
    lab.run()
    assert (executor.jobs[-1].max_eval_seconds, executor.jobs[-1].thorough_below) == (30.0, None)
