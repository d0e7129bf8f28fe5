"""`make setup` takes no program for Python that is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_layers import ROOT


def setup(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    """The script in a folder that holds nothing else."""
    (folder / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "setup.sh", folder / "tools")
    environment = {k: v for k, v in os.environ.items() if k not in ("UV", "TORCH_INDEX")} | {"PYTHON": python}
    command = ["sh", "tools/setup.sh"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("program", ["true", "false", "echo", "no-such-program"])
def test_a_program_that_is_no_python_is_refused(tmp_path: Path, program: str) -> None:
    done = setup(tmp_path, shutil.which(program) or program)
    assert done.returncode == 1 and f"{program} is not Python 3.11 or newer" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and not (tmp_path / ".venv").exists()


def test_this_python_is_taken(tmp_path: Path) -> None:
    assert f"creating .venv with Python {sys.version_info.major}" in setup(tmp_path, sys.executable).stdout
