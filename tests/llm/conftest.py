"""Members of all three kinds against the loopback provider, without waiting between tries.

One server, one event loop and one client per kind serve all tests: making a client costs more than using it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from council.members import llm_ask, load
from council.members.llm import LLMMember
from council.members.provider import Provider
from council.testing.loopback import Loopback

MODELS = {"anthropic": "claude-test", "openai": "gpt-test", "litellm": "openai/some-model"}
T = TypeVar("T")
RUNNER = asyncio.Runner()
DOORS: dict[tuple[str, str], Provider] = {}
KEY = "sk-test-0123456789abcdef0123456789"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm_ask, "FIRST_PAUSE", 0.01)
    for name in ("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def run(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns."""
    return RUNNER.run(work)


@pytest.fixture(scope="session")
def server() -> Iterator[Loopback]:
    with Loopback() as provider:
        yield provider


@pytest.fixture
def loopback(server: Loopback) -> Loopback:
    """The provider, as new."""
    server.brain = Loopback().brain
    server.script.clear()
    server.asked = []
    return server


@pytest.fixture
def member_of(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Callable[..., LLMMember]:
    """`member_of(kind)` is a member of that kind whose provider is the loopback one."""

    def make(kind: str, name: str = "ann", **more: Any) -> LLMMember:
        monkeypatch.setenv("TEST_KEY", KEY)
        given = {"model": MODELS[kind], "price": {"input": 1.0, "output": 2.0}, "timeout": 20, **more}
        made = load(kind)(name, base_url=loopback.url, api_key_env="TEST_KEY", **given)
        assert isinstance(made, LLMMember)
        asker = made._ask()
        asker.provider = DOORS.setdefault((kind, loopback.url), asker.provider)
        return made

    return make


@pytest.fixture
def member(member_of: Callable[..., LLMMember]) -> Callable[..., LLMMember]:
    """The same under a shorter name."""
    return member_of
