"""The rule that docs/extending.md shows: twenty lines that do what the page says, in a real session too."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

from council import replay
from council.store import Store
from council.testing.contracts import RuleContract
from council.types import Ballot
from tests.test_audit_night import night

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extending.md"
SOURCE, CONTRACT = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


def module(name: str, source: str) -> types.ModuleType:
    """The module that the page shows."""
    made = types.ModuleType(name)
    exec(compile(source, str(PAGE), "exec"), made.__dict__)
    return made


@pytest.fixture
def made(monkeypatch):
    """The rule's module under the name that the page gives it."""
    found = module("my_rules.approval", SOURCE)
    monkeypatch.setitem(sys.modules, "my_rules", types.ModuleType("my_rules"))
    monkeypatch.setitem(sys.modules, "my_rules.approval", found)
    return found


class TestApproval(RuleContract):
    @pytest.fixture
    def rule(self):
        return module("my_rules.approval", SOURCE).tally


def test_the_contract_is_run_as_the_page_says(made):
    shown = module("test_approval", CONTRACT).TestApproval
    assert issubclass(shown, RuleContract) and shown.rule is not RuleContract.rule


def test_the_rule_is_about_twenty_lines():
    assert len([line for line in SOURCE.splitlines() if line.strip()]) <= 20


def test_the_rule_counts_what_the_page_says(made):
    slates = {"a": {"A": 1, "B": 2, "C": 3}, "b": {"A": 3, "B": 1, "C": 2}, "silent": {"A": 4}}
    ballots = {"a": Ballot(("B", "A", "C"), {}), "b": Ballot(("A", "C", "B"), {})}
    assert made.tally(slates, ballots) == {1: 0.5, 2: 1.0, 3: 0.5, 4: 0.0}


def test_the_rule_replays_a_session_by_its_dotted_path(made, tmp_path):
    store = Store(night(tmp_path) / ".council/council.db", read_only=True)
    found = replay.replay(store, store.one("sessions"), "my_rules.approval:tally")
    assert len(found.rounds) == 7 and 0 <= found.agreement.value <= 1
