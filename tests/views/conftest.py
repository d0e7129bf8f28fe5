"""The session of `night_rows` as an open store."""

from __future__ import annotations

import pytest

from council.store import Store
from tests.views.night_rows import night


@pytest.fixture
def store(tmp_path):
    """The database with one ended session."""
    found = Store(night(tmp_path / "council.db"), read_only=True)
    yield found
    found.close()
