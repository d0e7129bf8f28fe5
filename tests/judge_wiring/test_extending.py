"""The rule that docs/extending.md shows: twenty lines that do what the page says, in a real session too."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

from council import judge, replay
from council.store import Store
from council.types import Ballot
from tests.test_audit_night import night

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extending.md"


@pytest.fixture
def shown(monkeypatch):
    """The module that the page shows, under the name it gives it."""
    (source,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    made = types.ModuleType("my_rules.approval")
    exec(compile(source, str(PAGE), "exec"), made.__dict__)
    monkeypatch.setitem(sys.modules, "my_rules", types.ModuleType("my_rules"))
    monkeypatch.setitem(sys.modules, "my_rules.approval", made)
    return made, source


def test_the_rule_is_about_twenty_lines(shown):
    _, source = shown
    assert len([line for line in source.splitlines() if line.strip()]) <= 20


def test_the_rule_counts_what_the_page_says(shown):
    made, _ = shown
    slates = {"a": {"A": 1, "B": 2, "C": 3}, "b": {"A": 3, "B": 1, "C": 2}, "silent": {"A": 4}}
    ballots = {"a": Ballot(("B", "A", "C"), {}), "b": Ballot(("A", "C", "B"), {})}
    assert made.tally(slates, ballots) == {1: 0.5, 2: 1.0, 3: 0.5, 4: 0.0}


def test_the_rule_replays_a_session_by_its_dotted_path(shown, tmp_path):
    store = Store(night(tmp_path) / ".council/council.db", read_only=True)
    found = replay.replay(store, store.one("sessions"), "my_rules.approval:tally")
    assert len(found.rounds) == 7 and 0 <= found.agreement.value <= 1


def test_a_line_in_rules_makes_it_a_rule_by_name(shown, monkeypatch):
    monkeypatch.setitem(judge.RULES, "approval", "my_rules.approval:tally")
    assert judge.rule("approval") is shown[0].tally
    assert all(f"RULES` in `{file}`" in PAGE.read_text() for file in ("council/judge/__init__.py", "council/config.py"))
