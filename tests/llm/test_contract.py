"""A language model keeps the contract of every member; here the loopback brain behind one of the three doors."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from council.members.llm import LLMMember
from council.testing.contracts import MemberContract


class TestLanguageModel(MemberContract):
    @pytest.fixture
    def member(self, member_of: Callable[..., LLMMember]) -> LLMMember:
        return member_of("openai")
