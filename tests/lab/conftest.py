"""Fixtures of the lab's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.measurement import Measurement
from tests.lab.helpers import tiny


@pytest.fixture
def boxed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Measurement]:
    """Run a variation of the tiny train.py in its boxes for three steps, on random tokens, by default 32 rows."""
    from lab.referee import Request, measure

    def run(source: bytes | None = None, budget: float = 10.0, many_rows: int = 0, **places: Any) -> Measurement:
        if many_rows:
            monkeypatch.setattr("lab.data.SMOKE_ROWS", many_rows)
        return measure(Request(source or tiny(**places), budget=budget, steps=3))

    return run
