"""`council doctor` is ready only where a session can run, and names the command that fits who is present."""

from __future__ import annotations

import json
import shutil
import sys
from collections import namedtuple

import pytest

from council.cli import checks

KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY")
NOT_HERE = "cuda" if sys.platform == "darwin" else "mps"
"""A device that no machine of this kind has."""


@pytest.fixture
def made(council, tmp_path, monkeypatch):
    """A new lab, without keys."""
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    council(tmp_path, "init", "my-lab")
    return tmp_path / "my-lab"


def examined(council, folder):
    """(exit code, checks by name)."""
    told = council(folder, "doctor", "--json")
    return told.exit_code, {check["name"]: check for check in json.loads(told.stdout)["checks"]}


def say(folder, old, new):
    text = (folder / "council.yaml").read_text()
    assert old in text
    (folder / "council.yaml").write_text(text.replace(old, new))


def test_without_a_key_the_command_is_an_offline_one(council, made):
    told = council(made, "doctor")
    assert told.exit_code == 0 and told.stdout.splitlines()[-1] == "Ready: council run --offline --rounds 6"


def test_with_a_key_the_command_takes_the_model_along(council, made, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "any-value-will-do")
    assert council(made, "doctor").stdout.splitlines()[-1] == "Ready: council run --rounds 6"


def test_models_that_cannot_be_shut_in_leave_the_offline_command(council, made, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "any-value-will-do")
    say(made, "sandbox: auto ", "sandbox: none ")
    code, found = examined(council, made)
    assert code == 0 and found["sandbox"]["state"] == "note" and "sandbox: none" in found["sandbox"]["what"]
    assert found["session"]["what"] == "council run --offline --rounds 6" and "unsandboxed" in found["session"]["mend"]


def test_what_the_run_would_refuse_is_not_ready(council, made):
    (made / "program.md").write_text("changed, not committed")
    code, found = examined(council, made)
    assert code == 1 and found["session"]["state"] == "missing" and "program.md" in found["session"]["what"]


def test_instructions_that_are_named_and_not_there_are_told_with_their_line(council, made):
    say(made, "program: program.md ", "program: nope.md ")
    code, found = examined(council, made)
    assert code == 1 and "council.yaml:4: program: there is no" in found["program"]["what"]


def test_a_kind_whose_module_breaks_is_told_with_its_line(council, made, monkeypatch):
    (made / "doctor_broken.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(made)
    say(made, "kind: textbook", "kind: 'doctor_broken:A'")
    told = council(made, "doctor")
    assert told.exit_code == 1 and "fault of the council" not in told.output
    assert "kind 'doctor_broken:A' cannot be loaded: ZeroDivisionError" in " ".join(told.stdout.split())


def test_a_device_that_is_asked_for_and_not_there_is_missing(council, made):
    say(made, "device: auto ", f"device: {NOT_HERE} ")
    code, found = examined(council, made)
    assert code == 1 and found["device"]["state"] == "missing" and f"device: {NOT_HERE}" in found["device"]["what"]


def test_a_device_that_was_chosen_is_told_with_the_seconds_that_were_chosen(council, made):
    say(made, "device: auto ", "device: cpu ")
    say(made, "budget: auto ", "budget: 7 ")
    _, found = examined(council, made)
    assert found["device"]["state"] == "ok" and "the CPU, 7 s each" in found["device"]["what"]


@pytest.mark.parametrize(("mib", "state", "code"), [(2, "missing", 1), (1000, "note", 0), (5000, "ok", 0)])
def test_a_full_disk_is_missing_and_a_small_one_worth_a_word(council, made, monkeypatch, mib, state, code):
    full, real = namedtuple("usage", "free")(mib << 20), shutil.disk_usage
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda place: full if place == made else real("/"))
    found = examined(council, made)
    assert (found[0], found[1]["disk"]["state"]) == (code, state)
    assert state == "ok" or str(made) in found[1]["disk"]["what"]


@pytest.mark.parametrize(("closed", "check"), [(".", "repository"), (".git", "repository"), (".council", "database")])
def test_a_folder_that_cannot_be_written_is_missing(council, made, monkeypatch, closed, check):
    (made / ".council").mkdir()
    monkeypatch.setattr(checks.os, "access", lambda place, mode: place != made / closed)
    code, found = examined(council, made)
    assert code == 1 and found[check]["state"] == "missing"
    assert str(made / closed) in found[check]["what"] and "mounted" in found[check]["mend"]


def test_a_fault_of_the_machine_is_not_reported_as_one_of_the_project(tmp_path, monkeypatch):
    def _disk(folder):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(checks, "CHECKS", (_disk,))
    (found,) = checks.every(tmp_path)
    assert found.state == "missing" and "Report" not in found.mend
