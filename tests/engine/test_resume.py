"""Nothing is lost: whenever a run dies, the resumed session ends as if nobody had disturbed it."""

from __future__ import annotations

import random

import pytest

from council import experiment
from council.store import GENESIS, digest
from council.types import Block, Critique, Edit, Proposal, Response
from tests.engine.faults import Fault, Killed, outcome
from tests.helpers import FakeExecutor, Planned, Ran, change, prefer

ROUNDS = 3
ORDER = prefer("narrow", "crashes", "deeper", "worse", "mended")


def broken(brief, *_):
    return Proposal("broken", "It may help.", "other", Edit(blocks=(Block("NOWHERE", "x"),)), 0.4)


def eventful(night, folder):
    """Three rounds with an invalid edit, a debate, a revision, an early crash with its repair, and a void."""
    ann = {
        ("propose", 1): change("wide", WIDTH=128),
        ("respond", 1): lambda brief, *_: Response("Right.", change("narrow", WIDTH=32, GAIN=4)(brief)),
        ("propose", 2): change("crashes", GAIN=6),
        ("repair", 2): change("mended", GAIN=7),
        ("propose", 3): change("deeper", DEPTH=4),
    }
    bob = {
        ("critique", 1): lambda brief, slate, turn: tuple(Critique(e.label, "Too wide.") for e in slate.entries[:1]),
        ("propose", 1): broken,
        ("repair", 1): change("worse", GAIN=-3),
        ("propose", 3): change("deeper", DEPTH=4),
    }
    cat = {("propose", 2): RuntimeError("no"), ("propose", 3): change("other", WIDTH=16)}
    replies = {"ann": {**ann, "rank": ORDER}, "bob": {**bob, "rank": ORDER}, "cat": {**cat, "rank": ORDER}}
    lab = night(folder, **replies)
    lab.executor = FakeExecutor({4: Ran("crash", seconds=3), 6: Ran("void")})
    return lab


QUIET: dict[str, list[tuple]] = {}


@pytest.fixture
def undisturbed(night):
    """What an undisturbed session leaves; found out once."""
    if not QUIET:
        lab = eventful(night, "undisturbed")
        assert lab.run(rounds=ROUNDS).exit_code == 0
        QUIET.update(outcome(lab))
    return QUIET


def reborn(lab):
    """The same lab after a kill: members without memory, an executor that counts on."""
    lab.members = [Planned(m.name, m.replies) for m in lab.members]


def go_on(lab):
    """Resume until it ends; a session whose first row was never written starts anew."""
    reborn(lab)
    begun = (lab.root / ".council" / "council.db").exists() and lab.rows("sessions")
    return lab.run(rounds=ROUNDS, **({"resume": "k"} if begun else {}))


def check(lab, undisturbed):
    found = outcome(lab)
    for tbl, rows in undisturbed.items():
        assert found[tbl] == rows, tbl
    assert set(found) == set(undisturbed)
    numbers = [row["number"] for row in lab.rows("measurements")]
    assert sorted(set(numbers)) == sorted(numbers) == [row["number"] for row in lab.rows("experiments", "number")]
    assert all(len(set(seeds)) == 1 for seeds in lab.executor.seeds.values())
    prev = GENESIS
    for line in lab.rows("ledger", "seq"):
        assert line["prev"] == prev
        prev = line["hash"]
        assert prev == digest([line[k] for k in ("seq", "at", "tbl", "row_id", "sha256", "prev")])
    folder = lab.root / ".council" / "worktrees"
    assert not folder.exists() or not list(folder.iterdir())


def test_the_eventful_session_is_eventful(undisturbed):
    kinds = [dict(row)["kind"] for row in undisturbed["verdicts"]]
    assert {"'keep'", "'crash'", "'void'"} <= set(kinds)
    assert undisturbed["critiques"] and undisturbed["responses"] and undisturbed["outcomes"]
    assert {dict(row)["step"] for row in undisturbed["proposals"]} == {
        "'propose'",
        "'repair'",
        "'debate'",
        "'late_repair'",
    }


def moments(where, night):
    """How often a session passes such a moment."""
    fault, lab = Fault(0, where), eventful(night, "counted")
    with pytest.MonkeyPatch.context() as patch:
        fault.install(patch)
        lab.run(rounds=ROUNDS)
    return fault.count


def die_and_go_on(night, undisturbed, where, k):
    lab = eventful(night, f"killed-{k}")
    with pytest.MonkeyPatch.context() as patch:
        Fault(k, where).install(patch)
        with pytest.raises(Killed):
            lab.run(rounds=ROUNDS)
    assert go_on(lab).exit_code == 0
    check(lab, undisturbed)


WHERES = ("before a commit", "after a commit", "at a row", "at git")


@pytest.mark.parametrize("where", WHERES)
def test_a_run_that_dies_somewhere_ends_the_same_after_resume(night, undisturbed, where):
    total = moments(where, night)
    for k in random.Random(f"{where} 7").sample(range(1, total), 2):
        die_and_go_on(night, undisturbed, where, k)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("where", WHERES)
def test_a_run_that_dies_anywhere_ends_the_same_after_resume(night, undisturbed, where):
    for k in range(1, moments(where, night) + 1):
        die_and_go_on(night, undisturbed, where, k)


def test_a_run_that_dies_again_and_again_ends_the_same(night, undisturbed):
    lab, died = eventful(night, "often"), 0
    while True:
        with pytest.MonkeyPatch.context() as patch:
            Fault(11, "after a commit").install(patch)
            try:
                assert go_on(lab).exit_code == 0
                break
            except Killed:
                died += 1
    assert died >= 5
    check(lab, undisturbed)


def test_no_experiment_that_was_measured_runs_again(night, undisturbed):
    lab = eventful(night, "half")
    lab.run(rounds=2)
    before = list(lab.executor.measured)
    reborn(lab)
    lab.run(rounds=ROUNDS, resume="k")
    assert lab.executor.measured[: len(before)] == before
    assert len(set(lab.executor.measured)) == len(lab.executor.measured)
    check(lab, undisturbed)


def test_a_finished_session_resumed_changes_nothing(night, undisturbed):
    lab = eventful(night, "done")
    lab.run(rounds=ROUNDS)
    reborn(lab)
    ending = lab.run(rounds=ROUNDS, resume="k")
    assert ending.exit_code == 0 and not any(m.asked for m in lab.members)
    check(lab, undisturbed)


class Judging(Planned):
    """A member that counts as a language model: where two sit, they alone vote."""

    is_llm = True


def test_a_night_goes_on_after_a_round_in_which_nobody_forecast(night):
    lab = night(ann={"rank": RuntimeError("no")}, bob={"rank": RuntimeError("no")}, cat={"propose": change(GAIN=3)})
    lab.members = [Judging("ann", lab.members[0].replies), Judging("bob", lab.members[1].replies), lab.members[2]]
    assert lab.run(1).exit_code == 0
    assert lab.one("verdicts")["settles"] and not lab.rows("forecasts") and not lab.rows("settlements")
    assert lab.run(2, resume="k").exit_code == 0
    assert len(lab.rows("reputation", round=1)) == 3


def test_a_member_that_comes_back_is_not_asked_in_a_round_that_has_run(night):
    lab = night(ann={"propose": change(GAIN=1)}, bob={"propose": change(GAIN=2)}, cat={"propose": change(GAIN=3)})
    everyone = lab.members
    lab.members = everyone[:2]
    assert lab.run(1).exit_code == 0
    lab.members = everyone
    assert lab.run(2, resume="k").exit_code == 0
    assert [turn.round for _, turn in everyone[2].turns("propose")] == [2]


def test_a_round_that_was_not_settled_does_not_count_as_done(night, monkeypatch):
    lab = night(ann={"propose": change(GAIN=1)}, bob={"propose": change(GAIN=2)})
    with monkeypatch.context() as patch:
        patch.setattr(experiment, "settle_round", dies)
        with pytest.raises(Killed):
            lab.run(1)
    assert lab.one("verdicts") and lab.rows("session_ends")[-1]["rounds"] == 0
    assert lab.run(1, resume="k").exit_code == 0
    assert lab.rows("session_ends")[-1]["rounds"] == 1


def dies(*arguments):
    raise Killed
