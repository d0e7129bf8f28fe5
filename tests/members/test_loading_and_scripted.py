"""How a kind becomes a class, and the member that answers from a queue."""

from __future__ import annotations

import asyncio
import importlib.metadata
import subprocess
import sys

import pytest

from council.errors import ConfigError, Refused
from council.members import load
from council.testing.contracts import MemberContract, brief_of, slate_of, turn_of
from council.testing.scripted import ScriptedMember
from council.types import Ballot, Critique, Edit, Proposal

PROPOSAL = Proposal("t", "h", "other", Edit(whole="x"), 0.5)


class TestScriptedKeepsTheContract(MemberContract):
    @pytest.fixture
    def member(self):
        return ScriptedMember("ann")


def test_a_dotted_path_is_a_kind():
    assert load("council.testing.scripted:ScriptedMember") is ScriptedMember


def test_an_entry_point_is_a_kind_but_hides_no_built_in(monkeypatch):
    path = "council.testing.scripted:ScriptedMember"
    points = [importlib.metadata.EntryPoint(name, path, "council.members") for name in ("mine", "random")]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    assert load("mine") is ScriptedMember
    assert load("random") is not ScriptedMember


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("textbok", "did you mean 'textbook'"),
        ("no.such.module:Thing", "No module named"),
        ("council.types:Nothing", "Nothing"),
        ("council.types:Brief", "not a subclass"),
        (":", "cannot be loaded"),
    ],
)
def test_a_kind_that_cannot_be_found_says_what_can(kind, said):
    with pytest.raises(ConfigError, match=said) as caught:
        load(kind)
    assert "optuna, random, textbook" in caught.value.hint


def test_importing_a_built_in_loads_neither_optuna_nor_torch():
    code = "import sys, council.members.optuna, council.members.textbook; print({'optuna', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_replies_come_in_order_and_then_it_abstains():
    async def later(brief, turn):
        return PROPOSAL

    member = ScriptedMember("ann", propose=[PROPOSAL, Refused("no"), lambda brief, turn: None, later])
    brief, turns = brief_of(), [turn_of("propose", seed) for seed in range(5)]
    assert asyncio.run(member.propose(brief, turns[0])) is PROPOSAL
    with pytest.raises(Refused):
        asyncio.run(member.propose(brief, turns[1]))
    assert asyncio.run(member.propose(brief, turns[2])) is None
    assert asyncio.run(member.propose(brief, turns[3])) is PROPOSAL
    assert asyncio.run(member.propose(brief, turns[4])) is None
    assert [asked.turn for asked in member.asked("propose")] == turns


def test_each_step_has_a_queue_of_its_own():
    brief, turn = brief_of(), turn_of("x", 1)
    slate = slate_of(brief)
    ballot = Ballot(("A",), {"A": 0.5})
    member = ScriptedMember(
        "ann", rank=[lambda brief, slate, turn: ballot], repair=[PROPOSAL], critique=[(Critique("A", "no"),)]
    )
    assert asyncio.run(member.rank(brief, slate, turn)) is ballot
    assert asyncio.run(member.repair(brief, PROPOSAL, "why", turn)) is PROPOSAL
    assert asyncio.run(member.critique(brief, slate, turn)) == (Critique("A", "no"),)
    assert asyncio.run(member.critique(brief, slate, turn)) == ()
    assert asyncio.run(member.respond(brief, PROPOSAL, (), turn)) is None
    assert [asked.step for asked in member.history] == ["rank", "repair", "critique", "critique", "respond"]
    assert member.asked("repair")[0].arguments[2] == "why"


def test_it_can_be_absent():
    assert ScriptedMember("ann", missing="no key").absent() == "no key"
