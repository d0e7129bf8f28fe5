"""What a member is told: everything of this night that it may know, and the same whenever it is asked."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from council.brief import _ran, _rounds
from council.types import Ran as Measured
from tests.helpers import FakeExecutor, Ran, change, prefer


@pytest.fixture
def told(night):
    """The lab after three rounds, one of them a crash, and the briefs of `ann` by round."""
    first = prefer("secret-of-bob", "mine")
    lab = night(
        ann={("propose", 1): change("mine", GAIN=5, WIDTH=32), "rank": first},
        bob={("propose", 2): change("secret-of-bob", GAIN=-5), "rank": first},
        zeb={("propose", 3): change("third", DEPTH=3), "rank": first},
        executor=FakeExecutor({4: Ran("oom")}),
    )
    lab.run(rounds=4)
    return lab, {turns[-1].round: turns[0] for turns in lab.members[0].turns("propose")}


def test_it_holds_program_code_book_and_history_with_constants(told):
    lab, briefs = told
    brief, book = briefs[4], lab.rows("books")[-2]
    assert brief.program == "Lower the BPB.\n" and "GAIN = 5" in brief.source and brief.round == 4
    assert [(p.round, p.number, p.role, p.verdict) for p in brief.history[:4]] == [
        (0, 1, "baseline", ""), (0, 2, "baseline", ""), (1, 3, "trial", "keep"), (2, 4, "trial", "crash"),
    ]  # fmt: skip
    assert brief.history[2].constants == {"GAIN": 5, "WIDTH": 32, "DEPTH": 2}
    assert brief.history[3].constants == {"GAIN": -5, "WIDTH": 32, "DEPTH": 2} and brief.history[3].bpb is None
    assert brief.best == pytest.approx(book["b"]) and brief.baseline == pytest.approx(book["b_base"])
    assert brief.best_sd == pytest.approx(book["v"] ** 0.5) and brief.sigma == pytest.approx(book["sigma"])
    assert (brief.hits, brief.settled) == (sum(p.delta is not None and p.delta > 0 for p in brief.history), 3)


def test_the_first_brief_knows_the_baseline_alone(told):
    _, briefs = told
    assert [p.role for p in briefs[1].history] == ["baseline"] * 2
    assert briefs[1].best == briefs[1].baseline and (briefs[1].hits, briefs[1].settled) == (0, 0)


def test_it_says_which_edits_were_mine_and_nothing_of_who_made_the_others(told):
    lab, briefs = told
    assert [p.mine for p in briefs[4].history] == [False, False, True, False, False]
    text = json.dumps(asdict(briefs[4])).replace("secret-of-bob", "")
    assert "bob" not in text and "zeb" not in text


def test_it_names_the_device_that_ran_the_current_code(night):
    executor = FakeExecutor(conditions={"device": "a fine GPU", "budget": 1.0})
    lab = night(ann={"propose": change(GAIN=5)}, bob={}, executor=executor)
    lab.run()
    assert lab.members[0].turns("propose")[0][0].current.machine == "a fine GPU"


@pytest.mark.parametrize(("round_", "rounds"), [(5, 8), (8, 8), (9, None)])
def test_it_tells_the_rounds_of_the_session_until_they_are_passed(round_, rounds):
    assert _rounds({"stop": {"rounds": 8}}, round_) == rounds and _rounds({}, round_) is None


def test_it_takes_the_facts_from_the_run_that_was_kept():
    raw = {"params": 7, "peak_memory_mb": 2.5, "reported": {"steps": 30}}
    one = {"number": 1, "status": "crash", "machine": "m", "raw": raw}
    rows = [
        one,
        {**one, "number": 2, "status": "ok"},
        {**one, "number": 3, "status": "ok", "raw": {**raw, "params": 9}},
    ]
    assert _ran(rows, 3) == Measured("m", 9, 30, 2.5) and _ran(rows, 0) == Measured("m", 7, 30, 2.5)
    assert _ran(rows[:1], 0) is None
    odd = {**rows[1], "raw": json.dumps({"params": "many", "reported": [1]})}
    assert _ran([odd], 2) == Measured("m", None, None, None)


def test_it_holds_no_seed(told):
    lab, briefs = told
    text = json.dumps(asdict(briefs[4]))
    assert lab.one("sessions")["seed"] not in text
    assert not any(str(row["seed"]) in text for row in lab.rows("experiments"))


def test_the_same_round_gives_every_step_and_every_resume_the_same_brief(told):
    lab, briefs = told
    for turns in lab.members[0].turns("rank"):
        assert turns[0] == briefs[turns[-1].round]
    before = len(lab.members[0].turns("rank"))
    lab.members[0].replies[("propose", 5)] = change(WIDTH=16)
    lab.members[1].replies[("propose", 5)] = change(WIDTH=8)
    lab.run(rounds=5, resume="k")
    assert len(lab.members[0].turns("rank")) == before + 1
    ((again, _),) = lab.members[0].turns("propose", 5)
    assert (
        again == lab.members[0].turns("rank", 5)[0][0] and again.history[: len(briefs[4].history)] == briefs[4].history
    )


def test_a_void_is_no_history(night):
    lab = night(ann={"propose": change(GAIN=1)}, bob={}, executor=FakeExecutor({3: Ran("void")}))
    lab.run(rounds=2)
    brief = lab.members[0].turns("propose", 2)[0][0]
    assert [p.number for p in brief.history] == [1, 2, 4]


CHANCE = ("proposals", "slates", "ballots", "forecasts", "tallies", "experiments", "measurements", "verdicts", "books")
NOT_CHANCE = {"at", "seconds", "commit", "parent"}


def by_chance(brief, turn):
    return change(f"{turn.seed}", WIDTH=turn.seed % 997 + 1)(brief)


def told_rows(lab):
    return {tbl: [{k: v for k, v in row.items() if k not in NOT_CHANCE} for row in lab.rows(tbl)] for tbl in CHANCE}


def test_all_chance_comes_from_the_seed_of_the_session(night):
    members = {name: {"propose": by_chance} for name in ("ann", "bob", "cat", "dan")}
    first, second, other = (night(folder, **members) for folder in ("one", "two", "three"))
    other.seed = "07" * 32
    for lab in (first, second, other):
        lab.run(rounds=2)
    assert told_rows(first) == told_rows(second)
    for tbl in ("proposals", "slates", "tallies", "experiments"):
        assert told_rows(first)[tbl] != told_rows(other)[tbl]
