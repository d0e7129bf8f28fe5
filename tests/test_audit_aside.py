"""The half of an audit that a second process does for a long night: it finds the same, whatever becomes of it."""

from __future__ import annotations

import json
import sys

import pytest

from council.audit import aside
from council.audit.findings import PER_KIND, Findings
from tests.test_audit_night import audited
from tests.test_audit_spend import KEY, paid_night
from tests.test_audit_tamper import sql, tamper


@pytest.fixture
def tampered(tmp_path):
    """A night with a key in a reply and an edit that is not the one that ran."""
    folder = paid_night(tmp_path / "lab")
    tamper(folder, sql("UPDATE replies SET text = ? WHERE id = 2", KEY))
    tamper(folder, sql("UPDATE experiments SET code = 'another' WHERE role = 'trial'"))
    return folder


def test_it_finds_what_the_audit_finds_alone(tampered, monkeypatch):
    alone = audited(tampered)
    monkeypatch.setattr(aside, "SMALL", 0)
    monkeypatch.setattr(aside.texts, "check", lambda *asked: pytest.fail("it was done here"))
    assert audited(tampered) == alone
    assert {"secret", "experiment"} <= {p.kind for p in alone.problems}


@pytest.mark.parametrize("ending", ["raise SystemExit(1)", "print('{')", "print('{\"problems\": [1]}')"])
def test_a_process_that_fails_loses_no_finding(tampered, monkeypatch, ending):
    alone = audited(tampered)
    monkeypatch.setattr(aside, "SMALL", 0)
    monkeypatch.setattr(aside, "CODE", ending)
    assert audited(tampered) == alone


def test_an_interpreter_that_does_not_start_loses_no_finding(tampered, monkeypatch):
    alone = audited(tampered)
    monkeypatch.setattr(aside, "SMALL", 0)
    monkeypatch.setattr(sys, "executable", str(tampered / "no python"))
    assert audited(tampered) == alone


def test_it_runs_nothing_from_the_folder_it_stands_in(tampered, monkeypatch):
    mark = tampered / "ran"
    for module in ("council", "json"):
        (tampered / f"{module}.py").write_text(f"open({str(mark)!r}, 'w')\n")
    monkeypatch.chdir(tampered)
    monkeypatch.setattr(aside, "SMALL", 0)
    monkeypatch.setattr(aside.texts, "check", lambda *asked: pytest.fail("it was done here"))
    audited(tampered)
    assert not mark.exists()


def test_more_problems_than_are_listed_are_counted_across_processes():
    one, other = Findings(), Findings()
    for n in range(PER_KIND + 7):
        other.add("secret", f"row {n}", "a key")
    one.add("secret", "row", "a key")
    one.take(json.loads(json.dumps(other.told())))
    assert one.report()[-1].what == "and 8 more of this kind"
    assert len(one.report()) == PER_KIND + 1


@pytest.mark.parametrize("said", [[], {}, {"problems": [], "counts": 3}, {"problems": [1], "counts": {}}])
def test_what_another_process_did_not_find_is_not_taken_in_part(said):
    found = Findings()
    with pytest.raises(ValueError):
        found.take(said)
    assert not found.report()
