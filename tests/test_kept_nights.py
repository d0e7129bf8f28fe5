"""The nights that lie in docs/nights: whole, with their commits, and adding up on any machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from council.loading import load
from tests.test_audit_night import audited

NIGHTS = sorted(Path(__file__).resolve().parents[1].glob("docs/nights/*.jsonl.gz"))


def laid_out(night: Path, folder: Path, *, commits: bool) -> Path:
    """A repository as docs/nights/README.md makes it."""
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    if commits:
        bundle = night.with_name(night.name.replace(".jsonl.gz", ".bundle"))
        subprocess.run(["git", "-C", str(folder), "fetch", "-q", str(bundle), "refs/*:refs/*"], check=True)
    load(night, folder / ".council" / "council.db")
    return folder


@pytest.mark.parametrize("night", NIGHTS, ids=lambda path: path.name)
def test_a_kept_night_adds_up(tmp_path, night):
    report = audited(laid_out(night, tmp_path / "lab", commits=True))
    assert report.problems == () and report.sessions == 1 and report.rounds >= 30


@pytest.mark.parametrize("night", NIGHTS, ids=lambda path: path.name)
def test_without_its_commits_everything_else_adds_up(tmp_path, night):
    first, *more = audited(laid_out(night, tmp_path / "lab", commits=False)).problems
    assert first.kind == "commit" and "nothing of it was compared with git" in first.what
    assert [(p.kind, p.where.rpartition("/")[2]) for p in more] in ([], [("ref", "best")])
