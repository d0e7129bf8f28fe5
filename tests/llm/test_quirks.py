"""Replies that are whole but unusual are kept, and what they cost is counted; a failure keeps what came before it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from council.calls import Calls
from council.errors import MemberError
from council.members import provider_counts, provider_failures, provider_stream, provider_wire
from council.members.llm import LLMMember
from council.members.provider import Failure, Reply, Request
from council.store import Row, Store
from council.testing.contracts import brief_of, turn_of
from council.testing.loopback import Fault, Loopback, answer
from council.testing.loopback_quirks import QUIRKS
from tests.llm.conftest import KEY, MODELS, run

Make = Callable[..., LLMMember]
KINDS = sorted(MODELS)
PREFIXES = ["gemini", "anthropic", "ollama", "ollama_chat", "deepseek", "xai", "mistral", "hosted_vllm", "openrouter/x"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "council.db")
    session = {"name": "night", "at": 1, "seed": "5", "commit": "c", "config": {}, "program": "p", "versions": {}}
    with made.atomic():
        made.insert("sessions", session)
    yield made
    made.close()


def asked(ann: LLMMember, store: Store) -> tuple[object, list[Row]]:
    """(the proposal or the error, the recorded replies)."""
    ann.recorder = Calls(store, 1)
    try:
        came: object = run(ann.propose(brief_of(), turn_of("propose", 1)))
    except MemberError as error:
        came = error
    return came, store.rows("replies")


@pytest.mark.parametrize("quirk", QUIRKS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_reply_is_kept_at_once_and_its_tokens_are_counted(
    kind: str, quirk: str, member: Make, loopback: Loopback, store: Store
) -> None:
    loopback.brain = lambda seen: Fault(quirk, text=answer(seen.text, seen.model), seconds=20)
    ann = member(kind, timeout=30)
    run(ann._ask().provider.client())  # the import of a library may take as long as the reply
    started = time.monotonic()
    came, (reply,) = asked(ann, store)
    assert not isinstance(came, MemberError) and reply["status"] == "ok"
    assert time.monotonic() - started < 10
    assert 1000 < reply["tokens_in"] < 6000 and 30 < reply["tokens_out"] < 200
    assert reply["cost_usd"] >= (reply["tokens_in"] + 2 * reply["tokens_out"]) / 1e6 * 0.99


def test_a_stream_that_hangs_after_its_reason_for_stopping_is_read(
    member: Make, loopback: Loopback, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_stream, "GRACE", 0.3)
    ann = member("anthropic", timeout=30)
    door = ann._ask().provider
    monkeypatch.setattr(door, "take", lambda event, found: _forget_end(type(door).take, door, event, found))
    loopback.brain = lambda seen: Fault("open_end", text=answer(seen.text, seen.model), seconds=20)
    started = time.monotonic()
    came, (reply,) = asked(ann, store)
    assert not isinstance(came, MemberError) and reply["status"] == "ok" and time.monotonic() - started < 10


def _forget_end(take: Callable[..., None], door: object, event: object, found: provider_stream.Gathered) -> None:
    take(door, event, found)
    found.ended = False


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["error_event", "vanish", "cut"])
def test_what_came_before_a_failure_is_kept_and_paid(
    kind: str, fault: str, member: Make, loopback: Loopback, store: Store
) -> None:
    loopback.brain = lambda seen: Fault(fault, text="TITLE: half of an answer. " * 40)
    _, rows = asked(member(kind), store)
    for row in rows:
        assert row["text"].startswith("TITLE: half") and row["tokens_out"] > 50 and row["tokens_in"] > 1000
        assert row["cost_usd"] > 0.001 and row["request_id"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_failed_call_has_the_request_id_and_the_body_that_came(
    kind: str, member: Make, loopback: Loopback, store: Store
) -> None:
    loopback.script.append(Fault("page"))
    _, (first, _) = asked(member(kind), store)
    assert first["status"] == "malformed" and "Please log in" in first["raw"]["body"]
    loopback.script.append(Fault("401"))
    ann = member(kind)
    with pytest.raises(Failure) as caught:
        run(ann._ask().provider.complete(Request(ann.model_name, "S", "", "Q", 100), 20))
    assert caught.value.reply is not None and caught.value.reply.request_id.startswith("req_")


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("fault", ["long_line", "drip", "redirect", "vanish_at_once"])
def test_every_provider_of_litellm_is_capped(
    prefix: str, fault: str, member: Make, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_wire, "DRIP_SECONDS", 0.4)
    loopback.any_path = True
    try:
        loopback.brain = lambda seen: Fault(fault, seconds=0.02)
        ann = member("litellm", model=f"{prefix}/m")
        with pytest.raises(Failure) as caught:
            run(ann._ask().provider.complete(Request(ann.model_name, "S", "", "Q", 100), 20))
    finally:
        loopback.any_path = False
    wanted = {"long_line": "too_long", "drip": "timeout", "redirect": "not_found", "vanish_at_once": "network"}[fault]
    assert caught.value.status == wanted and "drips" in str(caught.value) + "drips" * (fault != "drip")
    assert len(loopback.asked) == 1


def test_a_long_thinker_may_send_more_bytes_than_others() -> None:
    with provider_wire.watching(32_000) as wire:
        assert wire.limit == 32_000 * 600
    with provider_wire.watching(100) as wire:
        assert wire.limit == 4_000_000


def test_counts_that_cannot_be_are_replaced_and_plausible_ones_believed() -> None:
    request = Request("m", "S", "word " * 300, "Q", 100, dialogue=(("said " * 600, "and " * 100),))
    ours = provider_counts.prompt_tokens(request)
    assert ours > 1000
    text = "a word " * 100
    for wrong in (0, -5, 10**15, 20):
        made = provider_counts.sane(Reply(text, tokens_in=wrong, tokens_cached=7, tokens_out=wrong), request)
        assert made.tokens_in == ours and made.tokens_out > 150 and made.raw["counted"] == ["tokens_in", "tokens_out"]
    honest = Reply(text, tokens_in=700, tokens_cached=600, tokens_written=500, tokens_out=150)
    made = provider_counts.sane(honest, request)
    assert (made.tokens_in, made.tokens_cached, made.tokens_written, made.tokens_out) == (700, 600, 100, 150)
    assert (
        provider_counts.number(float("nan")) == provider_counts.number("x") == 0 and provider_counts.number("12") == 12
    )
    assert provider_counts.sane(Reply("", tokens_in=700, raw={"thought": text}), request).tokens_out > 150


def test_a_provider_may_ask_to_wait_until_a_date() -> None:
    error = Exception("slow")
    for header, low, high in (("7", 7, 7), (formatdate(time.time() + 90, usegmt=True), 60, 91), ("-3", 0, 0)):
        error.litellm_response_headers = {"retry-after": header}  # type: ignore[attr-defined]
        found = provider_failures.retry_after(error)
        assert found is not None and low <= found <= high
    for header in ("nan", "soon", ""):
        error.litellm_response_headers = {"retry-after": header}  # type: ignore[attr-defined]
        assert provider_failures.retry_after(error) is None


ODD = """
import asyncio
from council.members.litellm import LiteLLMProvider
from council.members.provider import Request
from council.testing.loopback import Fault, Loopback
with Loopback(replies=[Fault("nan_usage", text="x"), Fault("odd_stop", text="x")]) as provider:
    door = LiteLLMProvider(api_key="none", base_url=provider.url)
    async def ask():
        for _ in range(2):
            print((await door.complete(Request("openai/m", "S", "", "Q", 100), 60)).text)
    asyncio.run(ask())
"""


def test_what_a_library_finds_odd_in_a_reply_is_not_said_on_the_terminal() -> None:
    told = subprocess.run([sys.executable, "-c", ODD], capture_output=True, text=True, timeout=120, check=True)
    assert (told.stdout, told.stderr) == ("x\nx\n", "")


def test_a_key_is_taken_out_before_a_message_is_cut() -> None:
    failure = provider_failures.failure_of(Exception("x" * 275 + KEY), Reply(""), 400, KEY)
    assert KEY[:8] not in str(failure)
    cut = (b"y" * (provider_wire.HEAD - 20) + KEY.encode())[: provider_wire.HEAD]
    assert KEY[:8] not in provider_stream._beginning(cut, KEY)
