"""Every door, through the real library, against everything that can go wrong at a provider."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from council import edit
from council.errors import BadReply, MemberError, Refused
from council.members import provider_wire
from council.members.llm import LLMMember
from council.members.provider import Failure, Request
from council.testing.contracts import brief_of, slate_of, turn_of
from council.testing.loopback import FAULTS, Fault, Loopback
from council.types import Critique, Miss
from tests.llm.conftest import KEY, MODELS, run

Make = Callable[..., LLMMember]
KINDS = sorted(MODELS)
EXPECTED = {
    "400": ("rejected", Miss.ERROR, 1),
    "401": ("auth", Miss.ERROR, 1),
    "403": ("auth", Miss.ERROR, 1),
    "404": ("not_found", Miss.ERROR, 1),
    "429": ("rate_limited", Miss.ERROR, 6),
    "500": ("overloaded", Miss.ERROR, 6),
    "503": ("overloaded", Miss.ERROR, 6),
    "529": ("overloaded", Miss.ERROR, 6),
    "timeout": ("timeout", Miss.TIMEOUT, 1),
    "reset": ("network", Miss.ERROR, 3),
    "cut": ("network", Miss.ERROR, 3),
    "vanish": ("network", Miss.ERROR, 3),
    "vanish_at_once": ("network", Miss.ERROR, 3),
    "empty": ("malformed", Miss.BAD_REPLY, 2),
    "truncated": ("", Miss.BAD_REPLY, 2),
    "filtered": ("refused", Miss.REFUSED, 1),
    "refused": ("refused", Miss.REFUSED, 1),
    "bad_json": ("malformed", Miss.BAD_REPLY, 2),
    "bad_sse": ("malformed", Miss.BAD_REPLY, 2),
    "error_event": ("overloaded", Miss.ERROR, 3),
    "huge": ("too_long", Miss.BAD_REPLY, 1),
    "drip": ("timeout", Miss.TIMEOUT, 1),
    "long_line": ("too_long", Miss.BAD_REPLY, 1),
    "bomb": ("too_long", Miss.BAD_REPLY, 1),
    "page": ("malformed", Miss.BAD_REPLY, 2),
    "quota": ("auth", Miss.ERROR, 1),
    "redirect": ("not_found", Miss.ERROR, 1),
    "error_body": ("overloaded", Miss.ERROR, 6),
    "filter_400": ("refused", Miss.REFUSED, 1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_of_a_round_is_answered(kind: str, member: Make) -> None:
    ann, brief = member(kind), brief_of()
    slate = slate_of(brief)

    async def night() -> None:
        proposal = await ann.propose(brief, turn_of("propose", 1))
        assert proposal is not None and edit.apply(proposal.edit, brief.source) != brief.source
        mended = await ann.repair(brief, proposal, "line 3: no", turn_of("repair", 1))
        assert mended is not None
        comments = await ann.critique(brief, slate, turn_of("debate", 1))
        assert [one.label for one in comments] == [entry.label for entry in slate.entries]
        answer = await ann.respond(brief, proposal, (Critique("1", "Why?"),), turn_of("debate", 1))
        assert answer is not None and answer.text
        ballot = await ann.rank(brief, slate, turn_of("rank", 1))
        assert ballot is not None and sorted(ballot.ranking) == [entry.label for entry in slate.entries]

    run(night())


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_becomes_a_failure_of_the_member(kind: str, fault: str, member: Make, loopback: Loopback) -> None:
    status, miss, asked = EXPECTED[fault]
    if (kind, fault) == ("litellm", "vanish"):  # litellm says `stop` for a stream that ends without saying so
        status, miss, asked = "", Miss.BAD_REPLY, 2
    loopback.brain = lambda seen: Fault(fault, retry_after=0.01, seconds=3)
    ann = member(kind, timeout=1.5 if fault in ("timeout", "drip") else 20)
    started = time.monotonic()
    with pytest.raises(MemberError) as caught:
        run(ann.propose(brief_of(), turn_of("propose", 1)))
    assert caught.value.miss is miss
    assert getattr(caught.value, "status", "") == status or not isinstance(caught.value, Failure)
    assert len(loopback.asked) == asked
    assert time.monotonic() - started < 15
    assert KEY not in str(caught.value) and KEY not in repr(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_what_passes_is_asked_again_and_answered(kind: str, member: Make, loopback: Loopback) -> None:
    loopback.script.extend([Fault("529"), Fault("reset"), Fault("429", retry_after=0.3)])
    started = time.monotonic()
    assert run(member(kind).propose(brief_of(), turn_of("propose", 1))) is not None
    assert len(loopback.asked) == 4
    assert time.monotonic() - started > 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_a_wait_beyond_the_deadline_is_not_waited_for(kind: str, member: Make, loopback: Loopback) -> None:
    loopback.script.append(Fault("429", retry_after=3600))
    with pytest.raises(Failure, match="asks to wait 3600 s"):
        run(member(kind).propose(brief_of(), turn_of("propose", 1)))
    assert len(loopback.asked) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_unreadable_reply_goes_back_once_with_the_complaint(kind: str, member: Make, loopback: Loopback) -> None:
    loopback.script.append("I would lower the learning rate.")
    assert run(member(kind).propose(brief_of(), turn_of("propose", 1))) is not None
    first, second = loopback.asked
    assert "there is no edit in it" in second.text and "I would lower the learning rate." in second.text
    assert second.text.startswith(first.text)
    loopback.script.extend(["Nonsense.", "More nonsense."])
    with pytest.raises(BadReply, match="could not be read"):
        run(member(kind).propose(brief_of(), turn_of("propose", 1)))


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_that_drip_end_before_the_deadline(
    kind: str, member: Make, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_wire, "DRIP_SECONDS", 0.4)
    loopback.brain = lambda seen: Fault("drip", seconds=0.02)
    started = time.monotonic()
    with pytest.raises(MemberError, match="drips"):
        run(member(kind, timeout=60).propose(brief_of(), turn_of("propose", 1)))
    assert time.monotonic() - started < 15


def test_the_same_door_asks_many_at_once(member: Make, loopback: Loopback) -> None:
    members = [member(kind, name=f"m{n}") for n, kind in enumerate(KINDS * 4)]

    async def ask() -> list[object]:
        return await asyncio.gather(*(one.propose(brief_of(), turn_of("propose", 1)) for one in members))

    assert all(run(ask())) and len(loopback.asked) == 12


@pytest.mark.parametrize("model", ["xai/grok-4.7", "deepseek/deepseek-v4-pro", "anthropic/claude-opus-5", "mistral/m"])
def test_litellm_reaches_an_address_of_ones_own_for_any_provider(model: str, member: Make, loopback: Loopback) -> None:
    assert run(member("litellm", model=model).propose(brief_of(), turn_of("propose", 1))) is not None
    assert loopback.asked[0].model == model.partition("/")[2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_ping_is_the_shortest_call(kind: str, member: Make, loopback: Loopback) -> None:
    assert run(member(kind).ping()).text == "OK"
    loopback.script.append(Fault("truncated", text="O"))
    assert run(member(kind).ping()).text == "O"
    loopback.script.append(Fault("400"))
    with pytest.raises(Failure, match="redacted") as caught:
        run(member(kind).ping())
    assert KEY not in str(caught.value)


def test_a_refusal_in_words_is_not_asked_again(member: Make, loopback: Loopback) -> None:
    loopback.script.append("I'm sorry, but I can't help with that.")
    with pytest.raises(Refused):
        run(member("openai").propose(brief_of(), turn_of("propose", 1)))
    assert len(loopback.asked) == 1


def request(member: LLMMember, **more: object) -> Request:
    return Request(member.model_name, "S", "P", "Q", 1000, **more)  # type: ignore[arg-type]


def test_anthropic_marks_what_to_cache_and_how_long_to_think(member: Make) -> None:
    door = member("anthropic")._ask().provider
    sent = door.public(request(member("anthropic"), reasoning=2000, options={"top_k": 3}))
    assert sent["system"][0]["cache_control"] and sent["messages"][0]["content"][0]["cache_control"]
    assert "cache_control" not in sent["messages"][0]["content"][1]
    assert sent["top_k"] == 3 and "temperature" not in sent
    adaptive = door.public(Request("claude-opus-5", "S", "P", "Q", 8000, reasoning="high"))
    assert adaptive["output_config"] == {"effort": "high"} and adaptive["thinking"] == {"type": "adaptive"}
    older = door.public(Request("claude-sonnet-4-5", "S", "P", "Q", 16000, reasoning="medium"))
    assert older["thinking"] == {"type": "enabled", "budget_tokens": 8000}


def test_openai_is_told_the_effort(member: Make) -> None:
    sent = member("openai")._ask().provider.public(request(member("openai"), reasoning="high", temperature=0.5))
    assert sent["reasoning"] == {"effort": "high"} and sent["temperature"] == 0.5 and sent["store"] is False


@pytest.mark.parametrize("kind", KINDS)
def test_options_reach_the_wire_and_tokens_come_back(kind: str, member: Make, loopback: Loopback) -> None:
    ann = member(kind, options={"seed": 7}, max_tokens=1234)

    async def ask() -> None:
        reply = await ann._ask().provider.complete(ann.request(_prompt()), 20)
        assert reply.tokens_in > 0 and reply.tokens_out > 0 and reply.request_id
        assert reply.tokens_cached == (0 if kind == "litellm" else reply.tokens_in // 2)

    run(ask())
    (seen,) = loopback.asked
    assert seen.body["seed"] == 7
    assert 1234 in (seen.body.get(k) for k in ("max_tokens", "max_output_tokens", "max_completion_tokens"))
    assert KEY in " ".join(seen.headers.values())


def _prompt() -> object:
    from council.members.prompt import propose

    return propose(brief_of(), 10**9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_without_its_key_is_absent(kind: str, member: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = member(kind)
    assert ann.absent() is None
    monkeypatch.delenv("TEST_KEY")
    assert ann.absent() == "TEST_KEY is not set"


def test_a_cancelled_call_ends_at_once(member: Make, loopback: Loopback) -> None:
    loopback.brain = lambda seen: Fault("timeout", seconds=5)

    async def cancel() -> None:
        task = asyncio.create_task(member("openai").propose(brief_of(), turn_of("propose", 1)))
        while not loopback.asked:
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(asyncio.wait_for(cancel(), 15))
