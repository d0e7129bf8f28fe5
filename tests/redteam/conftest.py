"""The facts and the table of the red team."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

KEY = f"sk-redteam-{secrets.token_hex(8)}"
TABLE = pytest.StashKey[list[tuple[str, ...]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = []


@pytest.fixture(scope="session")
def table(request: pytest.FixtureRequest) -> list[tuple[str, ...]]:
    """Where a test notes what became of its attack."""
    return request.config.stash[TABLE]


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What an attacker is assumed to know: the pids of others, the place of a secret, the key it looks for."""
    from lab.cache import cache_folder

    canary = tmp_path_factory.mktemp("canary") / "secret"
    canary.write_text(KEY)
    os.environ["REDTEAM_API_KEY"] = KEY
    victim = subprocess.Popen(["sleep", "3600"], env={"PATH": os.environ["PATH"], "API_KEY": KEY})
    try:
        yield {
            "KEY": KEY,
            "CANARY": str(canary),
            "CACHE": str(cache_folder()),
            "VICTIM": victim.pid,
            "REFEREE": os.getpid(),
        }
        assert victim.poll() is None, "an attack has ended a process that is not its own"
        assert Path(canary).read_text() == KEY
    finally:
        victim.kill()
        victim.wait()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = config.stash.get(TABLE, [])
    if rows:
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
        terminalreporter.section("red team: tier, attack, what must happen, what happened")
        for row in rows:
            fixed = (text.ljust(width) for text, width in zip(row, widths, strict=False))
            terminalreporter.write_line("  ".join([*fixed, row[-1]])[:200])
