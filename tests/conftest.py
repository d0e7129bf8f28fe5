"""What every test runs under: no key, no network look-ups, no git settings but these.

A test that needs a key, a git identity or hooks sets them itself. Helpers that several test files share are imported by
their full name (`from tests.helpers import …`), so that two folders may hold files of one name. Tests marked `gpu` skip
where there is no NVIDIA driver.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
"""The repository."""

GIT_SETTINGS = """[user]
    name = A tester
    email = tester@example.invalid
[init]
    defaultBranch = main
[commit]
    gpgSign = false
[core]
    hooksPath = /dev/null
"""


def pytest_configure(config: pytest.Config) -> None:
    """Shut out what differs between machines, for this process and every one it starts."""
    for name in list(os.environ):
        if name.startswith(("COUNCIL_", "GIT_")) or name.endswith("_API_KEY"):
            del os.environ[name]
    handle, path = tempfile.mkstemp(prefix="council-tests-", suffix=".gitconfig")
    with os.fdopen(handle, "w") as file:
        file.write(GIT_SETTINGS)
    config.add_cleanup(lambda: Path(path).unlink(missing_ok=True))
    os.environ["GIT_CONFIG_GLOBAL"] = path
    os.environ["GIT_CONFIG_NOSYSTEM"] = "1"
    os.environ["GIT_TERMINAL_PROMPT"] = "0"
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["LANGSMITH_TRACING"] = "false"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none."""
    if shutil.which("nvidia-smi"):
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no NVIDIA driver here"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT
