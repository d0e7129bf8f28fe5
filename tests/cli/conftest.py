"""A lab with a session in its database, and `council` as a function."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from council.cli import cli
from tests.views.night_rows import night


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def empty(tmp_path):
    """A git repository in which no session has run."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


@pytest.fixture
def lab(empty):
    """The same with the session of `night_rows`."""
    (empty / ".council").mkdir()
    night(empty / ".council" / "council.db")
    return empty


@pytest.fixture
def council():
    """`council(folder, *arguments)` runs the command line in a folder."""

    def call(folder: Path, *args: str, **env: str) -> Result:
        return CliRunner().invoke(cli, ["-C", str(folder), *args], env=env)

    return call
