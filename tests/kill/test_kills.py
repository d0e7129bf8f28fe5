"""Runs on the real lab that are killed and go on. `make kills` runs all of these."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from tests.kill.dying import PLACES
from tests.kill.runs import Lab, make

pytestmark = [pytest.mark.kill, pytest.mark.timeout(600)]

EVERY_STEP = [
    *("begin:_open_round", "begin:propose_turn", "begin:guard_round", "begin:repair_turn", "begin:debate_round"),
    *("begin:rank_turn", "begin:tally_round", "begin:run_job", "end:run_job", "begin:repair_crash", "begin:run_job"),
    *("begin:verdict_round", "end:verdict_round", "begin:keep_round", "begin:settle_round"),
]
"""Where to die, in the order in which a run gets there."""


@pytest.fixture
def lab(tmp_path):
    found = make(tmp_path)
    yield found
    for pid in found.processes():
        os.kill(pid, signal.SIGKILL)


def finish(lab: Lab) -> None:
    run = lab.start()
    assert run.end() == 0, (lab.tmp.parent / "stderr.log").read_text()[-2000:]
    lab.check()


def test_a_run_killed_at_every_step_of_both_graphs_goes_on(lab):
    assert {where.split(":")[1] for where in EVERY_STEP} == set(PLACES)
    for where in EVERY_STEP:
        code = lab.dying(where).end()
        assert code == -signal.SIGKILL, (where, code, (lab.tmp.parent / "stderr.log").read_text()[-2000:])
    finish(lab)
    roles = [row["role"] for row in lab.rows("experiments", "number")]
    assert roles == ["baseline", "baseline", "trial", "repair"]
    assert {row["step"] for row in lab.rows("proposals")} == {"propose", "repair", "debate", "late_repair"}
    assert len(lab.rows("tallies")) == 1 and len(lab.rows("verdicts")) == 2


def test_signals_a_second_run_and_killed_processes_of_the_lab_do_what_is_promised(lab):
    run = lab.start()
    run.says("x1 baseline")
    lab.lab_process('"role": "train"')
    began = time.monotonic()
    run.kill(signal.SIGTERM)
    assert run.end() == 143 and time.monotonic() - began < 10
    assert lab.left(5) == {}

    run = lab.start()
    run.says("x1 baseline")
    second = lab.call(*lab.arguments()[2:])
    assert second.returncode == 2 and str(run.process.pid) in second.stderr
    run.kill(signal.SIGINT)
    run.says("stopping after the experiment")
    run.kill(signal.SIGINT)
    assert run.end() == 130 and lab.left(5) == {}
    assert not lab.rows("measurements")

    run = lab.start()
    run.says("x1 baseline")
    assert lab.call("stop").returncode == 0
    assert run.end() == 130 and lab.left(5) == {}
    assert [row["number"] for row in lab.rows("measurements")] == [1]
    assert [row["exit_code"] for row in lab.rows("session_ends")] == [143, 130, 130]

    run = lab.start()
    run.says("x2 baseline")
    os.kill(lab.lab_process("lab measure"), signal.SIGKILL)
    run.says("x2 measured: void")
    run.says("x3 baseline")
    run.says("x3 measured")
    assert lab.rows("measurements", "number")[2]["status"] == "ok"
    os.kill(lab.lab_process("lab smoke"), signal.SIGKILL)
    run.says("x4 trial")
    os.kill(lab.lab_process('"role": "train"'), signal.SIGKILL)
    assert run.end() == 0
    fourth = lab.rows("measurements", "number")[3]
    assert fourth["status"] in ("crash", "void") and fourth["reason"]
    lab.check()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_run_killed_at_moments_uniform_over_it_goes_on(tmp_path):
    chance, began = random.Random(7), time.monotonic()
    finish(make(tmp_path / "undisturbed", rounds=2))
    length = time.monotonic() - began
    for trial in range(6):
        lab = make(tmp_path / f"lab-{trial}", rounds=2)
        for _ in range(3):
            run = lab.start()
            time.sleep(chance.uniform(0.3, length))
            run.kill()
            if run.end() == 0:
                break
        finish(lab)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_built_in_council_killed_at_moments_uniform_over_it_goes_on(tmp_path, root):
    kinds = {"textbook": "textbook", "tpe": "optuna", "random": "random"}
    lab = make(tmp_path, 2, kinds, (root / "lab" / "train.py").read_text())
    chance = random.Random(11)
    for _ in range(10):
        run = lab.start()
        time.sleep(chance.uniform(0.5, 25))
        run.kill()
        run.end()
    finish(lab)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_processes_of_the_lab_never_end_the_night(tmp_path):
    lab, chance = make(tmp_path, rounds=3), random.Random(13)
    run = lab.start()
    while run.process.poll() is None:
        time.sleep(chance.uniform(2, 9))
        found = [pid for pid, command in lab.processes().items() if "-m lab" in command]
        if found:
            os.kill(chance.choice(found), signal.SIGKILL)
    code = run.end()
    assert code in (0, 1)  # 1: paused, since the machine spoils too much
    assert lab.left() == {}
    while code:
        code = lab.start().end()
    lab.check()
