"""The pacemaker's clock: what it charges, when it gives up. Machines and times are made up, but for the last test."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from lab.clock import BUSY, NOT_STOPPED, UNIT, PacemakerClock, WallClock, hold
from lab.errors import Ended, LabError
from lab.measurement import Measurement
from lab.pacemaker import Pacemaker
from lab.process import Tree, processes
from tests.lab.helpers import tiny


class Machine:
    """A box that uses CPU time, and a pacemaker whose steps take as long as it is told."""

    def __init__(self, unit: float = 0.1) -> None:
        self.used = 0.0  # CPU-seconds of the box
        self.unit = unit
        self.asked: list[bool] = []  # was the box stopped at each look at the pacemaker?
        self.slow = 0  # so many first steps of the next look take twice as long
        self.still = False
        self.wait = 0.0  # wall seconds that a look takes
        self.leak = 0.0  # CPU-seconds that the box uses while it is stopped

    def ready(self) -> None:
        self.used = 0.0

    def charge(self) -> float:
        return self.used

    def steps(self, count: int) -> list[float]:
        self.asked.append(self.still)
        self.used += self.leak
        time.sleep(self.wait)
        slow, self.slow = min(self.slow, count), 0
        return [self.unit * 2.0] * slow + [self.unit * 1.3] * (count - slow - 1) + [self.unit] * (count > slow)

    def hold(self, still: bool) -> None:
        self.still = still


def started(machine: Machine) -> PacemakerClock:
    clock = PacemakerClock(machine, machine.steps, machine.hold)  # type: ignore[arg-type]
    assert clock.charge() == 0.0
    clock.ready()
    return clock


def run(clock: PacemakerClock, machine: Machine, seconds: float, step: float = 0.02) -> float:
    for _ in range(round(seconds / step)):
        machine.used += step
        charge = clock.charge()
    return charge


def test_a_budget_second_is_so_many_steps_of_the_pacemaker() -> None:
    machine = Machine(unit=0.1)
    clock = started(machine)
    assert run(clock, machine, 10.0) == pytest.approx(10.0 / 0.1 * UNIT, rel=0.01)
    assert clock.stretch == pytest.approx(0.1 / UNIT)
    assert clock.report()["units"] == pytest.approx(100, rel=0.01)
    clock.finish()


def test_a_slow_pair_of_steps_at_the_start_does_not_move_the_unit() -> None:
    machine = Machine(unit=0.1)
    machine.slow = 2
    clock = started(machine)
    assert clock.stretch == pytest.approx(0.1 / UNIT)
    run(clock, machine, 8.0)
    assert clock.report()["clamped"] == 0
    clock.finish()


def test_work_that_a_neighbour_slows_down_costs_no_more() -> None:
    """Twice the CPU time for the same work, and for the pacemaker's: 1.4 of it is within what is believed."""
    quiet, noisy = Machine(0.1), Machine(0.1)
    first, second = started(quiet), started(noisy)
    noisy.unit = 0.13
    assert run(second, noisy, 13.0) == pytest.approx(run(first, quiet, 10.0), rel=0.04)
    second.finish()


def test_faster_code_is_credited_in_full() -> None:
    machine = Machine()
    clock = started(machine)
    assert run(clock, machine, 10.0 / 1.34) == pytest.approx(10.0 / 0.1 * UNIT / 1.34, rel=0.01)


def test_the_box_stands_still_at_every_look_but_the_first() -> None:
    machine = Machine()
    clock = started(machine)
    run(clock, machine, 5.5)
    assert machine.asked == [False, False, True, True, True, True, True]
    assert not machine.still


def test_a_starved_machine_is_given_more_wall_time() -> None:
    machine = Machine(0.1)
    clock = started(machine)
    assert clock.patience == pytest.approx(0.1 / UNIT)
    machine.wait = 0.5
    run(clock, machine, 1.5)
    assert clock.patience > 0.2 / UNIT
    assert clock.stretch == pytest.approx(0.1 / UNIT)  # the grace is in CPU-seconds


def test_a_tree_that_goes_on_while_stopped_voids_the_run() -> None:
    machine = Machine()
    clock = started(machine)
    machine.leak = 0.1
    with pytest.raises(Ended, match=NOT_STOPPED) as error:
        run(clock, machine, 2.0)
    assert error.value.status == "void"
    assert not machine.still


def test_an_absurd_unit_is_clamped_and_counted() -> None:
    machine = Machine(0.1)
    clock = started(machine)
    machine.unit = 10.0
    run(clock, machine, 3.5)
    assert clock.report()["clamped"] == 3
    before = clock.charge()
    machine.used += 0.16
    assert clock.charge() - before == pytest.approx(UNIT)  # 1.6 times the start, no more
    machine.unit = 0.0001
    run(clock, machine, 1.0)
    before = clock.charge()
    machine.used += 0.09
    assert clock.charge() - before == pytest.approx(UNIT)


@pytest.mark.parametrize(("unit", "busy"), [(0.1, False), (0.138, False), (0.145, True), (0.2, True), (0.08, True)])
def test_a_machine_too_busy_to_measure_is_named(unit: float, busy: bool) -> None:
    machine = Machine(0.1)
    clock = started(machine)
    machine.unit = unit
    run(clock, machine, 8.0)
    if busy:
        with pytest.raises(Ended, match="too busy") as error:
            clock.finish()
        assert (error.value.status, error.value.reason) == ("void", BUSY)
    else:
        clock.finish()


def test_a_short_run_is_not_called_busy_for_one_sample() -> None:
    machine = Machine(0.1)
    clock = started(machine)
    machine.unit = 1.0
    run(clock, machine, 2.5)
    clock.finish()


def test_the_charge_never_falls() -> None:
    machine = Machine(0.1)
    clock = started(machine)
    last = 0.0
    for unit in (0.1, 0.16, 0.09, 0.12, 0.1):
        machine.unit = unit
        for _ in range(60):
            machine.used += 0.02
            assert clock.charge() >= last
            last = clock.charge()


def test_holding_stops_a_whole_tree_and_lets_it_go() -> None:
    code = "import os, time; os.fork(); os.fork()\nwhile True: time.sleep(0.001)"
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    tree = Tree(child.pid, set())
    try:
        deadline = time.monotonic() + 30
        while len(tree.members()) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        hold(tree, True)
        assert {process.state for process in tree.members()} <= {"T", "t"}
        hold(tree, False)
        assert "T" not in {process.state for process in tree.members()}
    finally:
        tree.end()
        child.returncode = -9


def test_a_pacemaker_makes_the_steps_it_is_told_and_ends() -> None:
    pacemaker = Pacemaker()
    assert len(pacemaker.steps(3)) == 3
    assert min(pacemaker.steps(2)) > 0
    pid = pacemaker.pid
    pacemaker.close()
    assert pid not in processes()
    with pytest.raises((LabError, ValueError)):
        pacemaker.steps(1)


def test_a_dead_pacemaker_is_a_failure_of_the_lab() -> None:
    pacemaker = Pacemaker()
    os.kill(pacemaker.pid, 9)
    with pytest.raises(LabError, match="pacemaker ended"):
        pacemaker.steps(1)
    pacemaker.close()


def test_a_run_is_counted_in_units() -> None:
    from lab.referee import Request, measure

    lines: list[dict[str, object]] = []
    result: Measurement = measure(Request(tiny(step="sum(range(10000))"), budget=2.0), lines.append)
    assert result.status == "ok", result.reason
    assert result.conditions is not None and result.conditions["clock"] == "pacemaker"
    assert result.clock is not None and result.clock["samples"] >= 1
    assert result.clock["units"] == pytest.approx(2.0 / UNIT, rel=0.5)
    assert "u_ms" not in str(result.conditions)  # what differs from run to run is no condition


class Watch:
    """Stands in for the module `time`."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()
    monkeypatch.setattr("lab.clock.time", watch)
    return watch


def test_on_a_gpu_a_minute_before_start_is_free(watch: Watch) -> None:
    clock = WallClock(60.0)
    watch.now += 500  # importing torch
    assert clock.charge() == 0.0
    clock.ready()
    watch.now += 59
    assert clock.charge() == 0.0
    clock.started()
    assert clock.charge() == 0.0
    watch.now += 7
    assert clock.charge() == 7.0


def test_on_a_gpu_whoever_compiles_for_longer_pays_for_the_rest(watch: Watch) -> None:
    clock = WallClock(60.0)
    clock.ready()
    watch.now += 75
    assert clock.charge() == 15.0
    clock.started()  # which wins nothing back
    watch.now += 5
    assert clock.charge() == 20.0


def test_on_a_gpu_nothing_is_free_where_the_text_can_be_read(watch: Watch) -> None:
    clock = WallClock(0.0)
    clock.ready()
    watch.now += 3
    assert clock.charge() == 3.0
    assert clock.cpu_seconds() is None
