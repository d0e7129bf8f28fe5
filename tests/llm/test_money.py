"""Prices, the cap, the record of calls, and when a failing member rests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from council import redact, spend
from council.calls import Calls, resting
from council.errors import Broke, ConfigError
from council.members import load
from council.members.llm import LLMMember
from council.members.llm_resting import failed_rounds, resting_until
from council.members.provider import Reply
from council.members.provider_price import facts_of
from council.store import Store
from council.testing.contracts import brief_of, turn_of
from council.testing.loopback import Fault, Loopback
from tests.llm.conftest import KEY, MODELS, run

Make = Callable[..., LLMMember]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "council.db")
    with made.atomic():
        made.insert(
            "sessions",
            {"name": "night", "at": 1, "seed": "5", "commit": "c", "config": {}, "program": "p", "versions": {}},
        )
    yield made
    made.close()


def test_prices_come_from_the_bundled_list_or_from_council_yaml() -> None:
    listed = facts_of("claude-opus-4-5").price
    assert listed is not None
    assert (listed.input, listed.output, listed.cached, listed.written) == (5e-6, 25e-6, 0.5e-6, 6.25e-6)
    given = facts_of("claude-opus-4-5", {"input": 1, "output": 2}).price
    assert given is not None and (given.input, given.cached) == (1e-6, 1e-6)
    assert given.written == pytest.approx(1.25e-6)
    unlisted = [facts_of(model, {"input": 4, "output": 2}).price for model in ("claude-next", "openai/mine")]
    assert [round(price.written * 1e6, 6) for price in unlisted if price] == [5, 4]
    reply = Reply("", tokens_in=1000, tokens_cached=600, tokens_written=300, tokens_out=100)
    assert listed.cost(reply) == pytest.approx((100 * 5 + 600 * 0.5 + 300 * 6.25 + 100 * 25) / 1e6)
    assert facts_of("ollama/llama3").price is not None
    assert facts_of("claude-opus-4-5").window == 200_000


@pytest.mark.parametrize("model", ["openai/unheard-of", "gemini/gemini-exp-1206"])
def test_an_unknown_price_stops_before_the_first_call(model: str, loopback: Loopback) -> None:
    with pytest.raises(ConfigError, match="nobody says what the model") as caught:
        load("litellm")("ann", model=model, base_url=loopback.url).absent()
    assert "price:" in caught.value.hint
    assert not loopback.asked


@pytest.mark.parametrize(
    ("kind", "model", "variable"),
    [
        ("anthropic", "claude-opus-4-5", "ANTHROPIC_API_KEY"),
        ("openai", "gpt-5.2", "OPENAI_API_KEY"),
        ("litellm", "gemini/gemini-3.1-pro-preview", "GEMINI_API_KEY"),
        ("litellm", "xai/grok-4.7", "XAI_API_KEY"),
        ("litellm", "deepseek/deepseek-v4-pro", "DEEPSEEK_API_KEY"),
    ],
)
def test_a_missing_key_is_named(kind: str, model: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(variable, raising=False)
    assert load(kind)("ann", model=model).absent() == f"{variable} is not set"
    monkeypatch.setenv(variable, KEY)
    assert load(kind)("ann", model=model).absent() is None


def test_a_local_model_needs_no_key() -> None:
    assert load("litellm")("ann", model="ollama/llama3", price={"input": 0, "output": 0}).absent() is None


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_a_call_is_recorded_before_and_its_reply_after(kind: str, member: Make, store: Store) -> None:
    ann = member(kind, options={"user": f"who has {KEY}"})
    Calls(store, 1, {"ann": ann})
    run(ann.propose(brief_of(), replace(turn_of("propose", 1), member="ann")))
    (call,), (reply,) = store.rows("calls"), store.rows("replies")
    assert call["request"]["model"] == call["model"] == MODELS[kind] and call["provider"] == kind
    assert 0 < reply["cost_usd"] < call["reserved_usd"] and call["request"]["price"] == asdict(ann.price())
    assert reply["tokens_in"] and reply["tokens_out"] and reply["request_id"] and reply["status"] == "ok"
    assert KEY not in repr(call) + repr(reply) and redact.MARK in repr(call)
    assert "authorization" not in repr(call).lower() and "api_key" not in repr(call)


def test_a_stored_reply_is_not_paid_for_again(member: Make, store: Store, loopback: Loopback) -> None:
    turn, brief = turn_of("propose", 1), brief_of()
    loopback.script.extend(["Nonsense first."])
    first = member("openai")
    first.recorder = Calls(store, 1)
    said = run(first.propose(brief, turn))
    again = member("openai")
    again.recorder = Calls(store, 1)
    assert run(again.propose(brief, turn)) == said
    assert len(loopback.asked) == 2 == len(store.rows("calls"))


def test_a_call_without_a_reply_counts_as_spent_and_is_asked_again(
    member: Make, store: Store, loopback: Loopback
) -> None:
    turn, lost = turn_of("propose", 1), Calls(store, 1)
    call = run(lost.sent(turn, 1, "openai", MODELS["openai"], {}, 0.25))
    ann = member("openai")
    ann.recorder = calls = Calls(store, 1)  # another process
    assert calls.money() == (0.25, 0)
    run(ann.propose(brief_of(), turn))
    assert [row["turn"] for row in store.rows("calls")] == [1, 2]
    (reply,) = store.rows("replies")
    assert reply["call"] == call + 1
    assert calls.money()[0] == pytest.approx(0.25 + reply["cost_usd"])


def test_every_try_is_recorded_with_its_status(member: Make, store: Store, loopback: Loopback) -> None:
    loopback.script.extend([Fault("429", retry_after=0.01), Fault("500"), Fault("cut")])
    ann = member("openai")
    ann.recorder = Calls(store, 1)
    run(ann.propose(brief_of(), turn_of("propose", 1)))
    assert [row["status"] for row in store.rows("replies")] == ["rate_limited", "overloaded", "network", "ok"]
    costs = [row["cost_usd"] for row in store.rows("replies")]
    assert costs[:2] == [0, 0] and costs[2] > 0


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_a_second_question_without_usage_is_counted_with_what_was_said_before(
    kind: str, member: Make, store: Store, loopback: Loopback
) -> None:
    loopback.script.extend(Fault("no_usage", text=text) for text in ("Nonsense. " * 1500, "ABSTAIN: nothing."))
    ann = member(kind)
    ann.recorder = Calls(store, 1)
    run(ann.propose(brief_of(), turn_of("propose", 1)))
    first, second = store.rows("replies")
    assert second["tokens_in"] > first["tokens_in"] + 3000


def test_the_cap_is_never_exceeded(member: Make, store: Store, loopback: Loopback) -> None:
    members = [member(kind, name=f"m{n}") for n, kind in enumerate(["openai", "anthropic", "litellm", "openai"])]
    reserve = members[0]._ask().reserve(members[0].request(_prompt()))
    calls = Calls(store, 1, cap=reserve * 2.5)
    broke = []

    async def night() -> None:
        for round_ in range(1, 40):
            await asyncio.gather(*(ask(one, round_) for one in members))

    async def ask(one: LLMMember, round_: int) -> None:
        one.recorder = calls
        try:
            await one.propose(brief_of(), turn_of("propose", 1).__class__("night", round_, "propose", one.name, 1, 1))
        except Broke as error:
            broke.append(str(error))
        assert sum(calls.money()) <= calls.cap  # type: ignore[operator]

    run(night())
    assert broke and "are left" in broke[0]
    spent = sum(row["cost_usd"] for row in store.rows("replies"))
    assert reserve * 1.4 < spent <= reserve * 2.5
    assert len(loopback.asked) == len(store.rows("calls"))


def _prompt() -> object:
    from council.members.prompt import propose

    return propose(brief_of(), 10**9)


def test_keys_are_found_in_any_text() -> None:
    secrets = [
        "sk-ant-api03-" + "a" * 40,
        "sk-proj-" + "B3" * 20,
        "AIza" + "x" * 35,
        "xai-" + "q" * 30,
        "gsk_" + "w" * 30,
        "hf_" + "e" * 30,
        "AKIA" + "ABCDEFGH12345678",
        "Bearer " + "t" * 40,
    ]
    for secret in secrets:
        text = f"the key {secret}, in a log"
        assert secret.removeprefix("Bearer ") not in redact.redact(text)
        assert list(redact.find(text)) and not list(redact.find(redact.redact(text)))
    assert redact.redact("my-own-secret-value", ["my-own-secret-value"]) == redact.MARK
    harmless = "task-list-of-many-things sk-short risk-adjusted learning_rate hf_hub the bearer of news"
    assert redact.redact(harmless) == harmless
    assert redact.clean({"a": [f"x {secrets[0]}", 3, None]}) == {"a": [f"x {redact.MARK}", 3, None]}


def test_the_estimate_is_of_the_size_of_what_is_paid(member: Make, store: Store) -> None:
    ann, brief = member("openai"), spend.first_brief("Lower it.", brief_of().source)
    guess = spend.estimate({"ann": ann, "bob": load("random")("bob"), "eve": load("random")("eve")}, brief)
    assert list(guess) == ["ann"]
    ann.recorder = calls = Calls(store, 1)
    run(ann.propose(brief, turn_of("propose", 1)))
    assert calls.money()[0] < guess["ann"] < 20 * calls.money()[0]
    assert spend.sentence(0.4, 40, 20.0) == "about $0.40 a round; your cap of $20.00 buys about 40 of 40 rounds"
    assert "buys about 50 of 100 rounds" in spend.sentence(0.4, 100, 20.0)
    assert spend.sentence(0.0, 100, 20.0) == "the members cost nothing"


@pytest.mark.parametrize(
    ("failed", "delivered", "until"),
    [
        ((), (), 0),
        ((1, 2, 3, 4), (), 0),
        ((1, 2, 3, 4, 5), (), 6),
        ((1, 2, 3, 4, 5, 7), (), 9),
        ((1, 2, 3, 4, 5, 7, 10), (), 14),
        ((1, 2, 3, 4, 5, 7), (10,), 0),
        ((1, 2, 3, 5, 6), (4,), 0),
        ((1, 2, 3, 4, 5), (5,), 0),
    ],
)
def test_a_member_that_keeps_failing_rests_longer_and_longer(
    failed: tuple[int, ...], delivered: tuple[int, ...], until: int
) -> None:
    assert resting_until(failed, delivered) == until


def test_whether_a_member_rests_follows_from_the_rows(store: Store) -> None:
    for round_ in range(1, 6):
        row = {"session": 1, "round": round_, "step": "propose", "member": "ann", "attempt": 1, "at": 1}
        store.insert("outcomes", {**row, "kind": "timeout", "detail": ""})
        assert resting(store, 1, "ann", round_) < round_
    assert resting(store, 1, "ann", 6) == 6 and resting(store, 1, "ann", 7) == 6
    assert resting(store, 1, "bob", 6) == 0


def test_being_broke_or_at_rest_is_no_failure() -> None:
    kinds = ("timeout", "broke", "resting", "absent", "abstained", "error")
    rows = [{"member": "ann", "round": n, "kind": kind} for n, kind in enumerate(kinds)]
    assert failed_rounds(rows, "ann") == {0, 5} and failed_rounds(rows, "bob") == set()
