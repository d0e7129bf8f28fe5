"""`night(ann={...}, bob={...})`: a lab in which members of those names answer by plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import FakeExecutor, Night, Planned, make_lab

KIND = "council.testing.scripted:ScriptedMember"


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Night]:
    """Builds a lab; each keyword names a member and gives its replies."""

    def build(folder: str = "lab-repo", executor: FakeExecutor | None = None, **replies: dict[Any, Any]) -> Night:
        members = [Planned(name, replies[name]) for name in sorted(replies)]
        root = make_lab(tmp_path / folder, {m.name: KIND for m in members})
        return Night(root, members, executor or FakeExecutor(), monkeypatch)

    return build
