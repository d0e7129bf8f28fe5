"""Rules that did not come with the council: found by name or path, and held to a contract."""

from __future__ import annotations

import importlib.metadata
import random

import pytest

from council import judge
from council.config import RULES, known_rules, load
from council.errors import ConfigError
from council.judge import borda, schulze
from council.testing.contracts import RuleContract
from council.voting import FORECAST

FORWARD = f"{__name__}:by_borda"
NO_FUNCTION = f"{__name__}:FORWARD"


def by_borda(slates, ballots):
    return borda.tally(slates, ballots)


class TestBorda(RuleContract):
    @pytest.fixture
    def rule(self):
        return borda.tally


class TestSchulze(RuleContract):
    @pytest.fixture
    def rule(self):
        return schulze.tally


def shuffled(slates, ballots):
    return {p: random.random() for p in borda.tally(slates, ballots)}


def by_number(slates, ballots):
    return {p: score + p / 1000 for p, score in borda.tally(slates, ballots).items()}


def by_name(slates, ballots):
    return {p: score + ("judge1" in ballots) for p, score in borda.tally(slates, ballots).items()}


def by_label(slates, ballots):
    extra = {p: k == "A" for labels in slates.values() for k, p in labels.items()}
    return {p: score + extra[p] for p, score in borda.tally(slates, ballots).items()}


def contrary(slates, ballots):
    return {p: -score for p, score in borda.tally(slates, ballots).items()}


def greedy(slates, ballots):
    found = borda.tally(slates, ballots)
    ballots.clear()
    return found


def voted_only(slates, ballots):
    voted = {p for j in ballots for p in slates[j].values()}
    return {p: score for p, score in borda.tally(slates, ballots).items() if p in voted}


BREAKS = [
    (shuffled, "pure"),
    (by_number, "numbers"),
    (by_name, "names"),
    (by_label, "labels"),
    (contrary, "first"),
    (greedy, "pure"),
    (voted_only, "every_proposal"),
]


@pytest.mark.parametrize(("rule", "broken"), BREAKS)
def test_the_contract_catches_a_rule_that_breaks_it(rule, broken):
    contract = RuleContract()
    failed = []
    for name in (name for name in vars(RuleContract) if name.startswith("test_")):
        try:
            getattr(contract, name)(rule)
        except (AssertionError, KeyError):
            failed.append(name)
    assert any(broken in name for name in failed)


def test_the_rules_of_the_file_are_those_that_can_count():
    assert (FORECAST, *judge.RULES) == RULES


def test_a_rule_is_found_by_name_by_entry_point_and_by_path_and_hides_no_built_in(monkeypatch, tmp_path):
    points = [importlib.metadata.EntryPoint(name, FORWARD, judge.GROUP) for name in ("mine", "borda")]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    monkeypatch.setattr("council.config.entry_points", lambda group: points)
    assert judge.rule("mine") is by_borda is judge.rule(FORWARD) and judge.rule("borda") is borda.tally
    assert known_rules() == (*RULES, "mine")
    for name in ("mine", FORWARD):
        (tmp_path / "council.yaml").write_text(f"members: [{{name: a, kind: random}}]\njudge: {{rule: '{name}'}}\n")
        assert load(tmp_path / "council.yaml").judge.rule == name


@pytest.mark.parametrize(
    ("name", "said"),
    [("borad", "there is no rule"), ("no.such.module:tally", "No module"), (NO_FUNCTION, "not a function")],
)
def test_a_rule_that_cannot_be_found_says_what_can(name, said):
    with pytest.raises(ConfigError, match=said) as caught:
        judge.rule(name)
    assert "forecast, borda, schulze" in caught.value.hint
