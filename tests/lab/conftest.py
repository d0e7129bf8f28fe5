"""Fixtures of the lab's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.measurement import Measurement
from tests.lab.helpers import tiny


@pytest.fixture
def boxed() -> Callable[..., Measurement]:
    """Run a variation of the tiny train.py in both boxes for three steps, on random tokens."""
    from lab.referee import Request, measure

    def run(source: bytes | None = None, budget: float = 10.0, **places: Any) -> Measurement:
        return measure(Request(source or tiny(**places), budget=budget, steps=3))

    return run
