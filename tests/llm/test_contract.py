"""A language model keeps the contract of every member; here with the loopback brain in place of a provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from council.members.llm import LLMMember
from council.members.provider import Provider, Reply, Request
from council.testing.contracts import MemberContract
from council.testing.loopback_brain import answer


class Direct(Provider):
    """A provider without a wire."""

    kind = "direct"

    def public(self, request: Request) -> dict[str, Any]:
        return {}

    def connect(self) -> None:
        return None

    async def complete(self, request: Request, seconds: float) -> Reply:
        return Reply(answer(request.system + request.prefix + request.prompt), tokens_in=1, tokens_out=1)


class TestLanguageModel(MemberContract):
    @pytest.fixture
    def member(self, member_of: Callable[..., LLMMember]) -> LLMMember:
        made = member_of("openai")
        made._ask().provider = Direct(api_key=None)
        return made
