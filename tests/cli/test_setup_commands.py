"""`init`, `doctor` and `audit`."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest

from council.cli import checks
from council.cli.init import FILES, text

ROOT = Path(__file__).parents[2]


def _git(folder: Path, *args: str) -> str:
    return subprocess.run(["git", *args], cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", ["program.md", "council.yaml"])
def test_templates_are_the_files_at_the_root(name):
    assert (ROOT / "council" / "templates" / name).read_bytes() == (ROOT / name).read_bytes()


def test_init_makes_a_committed_lab_without_an_identity(council, tmp_path):
    result = council(tmp_path, "init", "my-lab", HOME="/nonexistent", GIT_CONFIG_NOSYSTEM="1", EMAIL="")
    folder = tmp_path / "my-lab"
    assert result.exit_code == 0 and "council run --offline" in result.stdout
    assert set(_git(folder, "ls-files").split()) == set(FILES) and _git(folder, "status", "--porcelain") == ""
    assert (folder / "lab" / "train.py").read_bytes() == (ROOT / "lab" / "train.py").read_bytes()


def test_the_line_to_type_next_works_with_any_name(council, tmp_path):
    told = council(tmp_path, "init", name := "lab ü 'x' $HOME").stdout
    step = told.splitlines()[-1].removeprefix("Next: ").split(" && council doctor")[0]
    done = subprocess.run(["sh", "-c", f"{step} && pwd"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == f"{tmp_path / name}\n"


def test_init_never_overwrites(council, tmp_path):
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "train.py").write_text("mine")
    result = council(tmp_path, "init", ".")
    assert result.exit_code == 2 and "lab/train.py" in result.stderr
    assert (tmp_path / "lab" / "train.py").read_text() == "mine" and not (tmp_path / "program.md").exists()


def test_init_inside_a_repository_leaves_the_commit_to_its_owner(council, empty):
    result = council(empty, "init", ".")
    assert result.exit_code == 0 and "git add" in result.stdout
    assert "program.md" in _git(empty, "status", "--porcelain")


def test_init_does_not_run_the_users_hooks(council, tmp_path):
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "commit-msg", "post-commit"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
        (hooks / name).chmod(0o755)
    (tmp_path / ".gitconfig").write_text(f"[core]\n\thooksPath = {hooks}\n[commit]\n\tgpgsign = true\n")
    assert council(tmp_path, "init", "lab2", HOME=str(tmp_path)).exit_code == 0
    assert not (tmp_path / "ran").exists()


def test_doctor_outside_a_lab_says_what_is_missing_and_exits_1(council, tmp_path):
    result = council(tmp_path, "doctor", "--json")
    found = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert result.exit_code == 1 and found["repository"]["state"] == "missing" and found["config"]["state"] == "missing"
    assert found["git"]["state"] == "ok" and found["sandbox"]["state"] in ("ok", "note")
    assert all(check["mend"] for check in found.values() if check["state"] == "missing")


def test_doctor_in_a_new_lab_is_content(council, tmp_path):
    council(tmp_path, "init", "my-lab")
    result = council(tmp_path / "my-lab", "doctor")
    assert result.exit_code == 0, result.stdout
    assert "sandbox" in result.stdout and "Ready: council run" in result.stdout


def test_a_check_that_breaks_does_not_hide_the_others(council, tmp_path, monkeypatch):
    def broken(folder):
        raise RuntimeError("a check of ours failed")

    monkeypatch.setattr(checks, "CHECKS", (broken, checks._git))
    found = checks.every(tmp_path)
    assert [check.state for check in found] == ["missing", "ok"] and "RuntimeError" in found[0].what


def test_new_labs_contain_train_py_as_packaged():
    assert "def build(bench" in text("lab/train.py")


@dataclass(frozen=True)
class Problem:
    kind: str
    where: str
    what: str


@dataclass(frozen=True)
class Report:
    ok: bool
    sessions: int
    rounds: int
    calls: int
    head: str
    problems: list[Problem]
    imported: int = 0


@pytest.fixture
def audited(monkeypatch):
    """An audit that reports what the test says."""
    module = types.ModuleType("council.audit")
    monkeypatch.setitem(sys.modules, "council.audit", module)
    monkeypatch.setattr("council.repo.Repo.open", lambda root: None)

    def says(*problems: Problem) -> None:
        module.audit = lambda store, repo: Report(not problems, 1, 2, 3, "abc", list(problems))

    return says


def test_audit_exits_0_when_everything_adds_up(council, lab, audited):
    audited()
    result = council(lab, "audit")
    assert result.exit_code == 0 and "everything adds up" in result.stdout


def test_audit_lists_problems_and_exits_1(council, lab, audited):
    audited(Problem("chain", "ledger 7", "the hash differs\x1b[2J"))
    result = council(lab, "audit")
    assert result.exit_code == 1
    assert "chain: ledger 7: the hash differs" in result.stdout and "\x1b" not in result.stdout
    found = json.loads(council(lab, "audit", "--json").stdout)
    assert list(found) == ["ok", "sessions", "rounds", "calls", "head", "problems", "imported"]
    assert found["problems"] == [{"kind": "chain", "where": "ledger 7", "what": "the hash differs\x1b[2J"}]
