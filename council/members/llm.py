"""A language model as a member: briefs and slates become prompts, replies become proposals, ballots and comments.

What: `LLMMember`, the same for every provider. Why: whoever answers, the council asks in the same words and reads by
the same rules, so that members differ in nothing but the model. How to extend: a provider is a subclass that names its
`Provider` and key variable (`anthropic.py`, `openai.py`, `litellm.py`); another prompt is a file in `prompts/`.

A reply that cannot be read goes back once with the exact complaint (question 2 of the same turn).
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from council.errors import BadReply
from council.members import prompt, replies
from council.members.base import Member
from council.members.llm_ask import Asker
from council.members.provider import Failure, Provider, Reply, Request, Truncated
from council.members.provider_price import Facts, Price, facts_of, known_price
from council.types import Ballot, Brief, Critique, Proposal, Response, Slate, Turn

T = TypeVar("T")

TIMEOUT = 280.0
"""Seconds for one question, retries included; two of them fit into the time a step gives a member."""
MAX_TOKENS, MAX_TOKENS_REASONING = 16_000, 32_000
PING_TOKENS = 16
"""The least that every provider accepts as a limit."""
WINDOW_MARGIN = 0.85
"""Share of a model's window that prompt and answer may fill by our count of tokens."""
QUOTED_ANSWER = 24_000
"""Characters of an unreadable answer that are shown back to its author."""
TYPICAL_ANSWER = {"propose": 2500, "critique": 700, "respond": 400, "rank": 500}
"""Tokens a member writes at each step of an ordinary round, for the estimate before the start."""
TYPICAL_THINKING = {"low": 500, "medium": 2000, "high": 6000, "xhigh": 10000, "max": 16000}


def on_this_machine(address: str | None) -> bool:
    """Whether a base address names this machine, so that no network is needed to reach it."""
    try:
        host = urlsplit(address or "").hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # any other name, or none at all
        return False


class LLMMember(Member):
    """A model behind a provider."""

    is_llm = True
    provider: ClassVar[type[Provider]]
    key_variable: str = ""

    def __init__(
        self,
        name: str,
        *,
        model: str,
        reasoning: str | int | None = None,
        base_url: str | None = None,
        api_key_env: str | None = None,
        price: Mapping[str, float] | None = None,
        max_tokens: int | None = None,
        window: int | None = None,
        temperature: float | None = None,
        timeout: float | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name, model=model)
        self.model_name = model
        self.reasoning = reasoning
        self.base_url = base_url
        self.needs_network = not on_this_machine(base_url)
        self.api_key_env = api_key_env
        self.facts: Facts = facts_of(model, price, window)
        self.effort = reasoning if reasoning is not None or not self.facts.thinks else "medium"
        default = MAX_TOKENS if self.effort in (None, "none", "minimal", "low") else MAX_TOKENS_REASONING
        self.max_tokens = max_tokens or min(default, self.facts.output, self.facts.window // 2)
        self.temperature = temperature
        self.timeout = timeout or TIMEOUT
        self.options = dict(options or {})
        self._asker: Asker | None = None

    def variable(self) -> str:
        """The environment variable that holds the key, '' where none is needed."""
        return self.api_key_env or self.key_variable

    def key(self) -> str | None:
        """The key, or a stand-in where an address of one's own needs none."""
        found = os.environ.get(self.variable(), "").strip() if self.variable() else ""
        return found or ("none" if self.base_url or not self.variable() else None)

    def secrets(self) -> tuple[str, ...]:
        return (self.variable(),) if self.variable() else ()

    def absent(self) -> str | None:
        """Why it cannot take part. Raises ConfigError for a model whose price nobody knows."""
        needed = self.api_key_env or (self.key_variable and not self.base_url)
        if needed and not os.environ.get(self.variable(), "").strip():
            return f"{self.variable()} is not set"
        self.price()
        return None

    def price(self) -> Price:
        """What its model costs. Raises ConfigError where nobody says."""
        return known_price(self.name, self.model_name, self.facts)

    @property
    def template(self) -> str:
        """What its prompts are made of, as a hash: members are only comparable under the same."""
        return prompt.fingerprint()

    async def propose(self, brief: Brief, turn: Turn) -> Proposal | None:
        return await self._answer(
            prompt.propose(brief, self._room()), turn, lambda text: replies.proposal(text, brief.source)
        )

    async def repair(self, brief: Brief, proposal: Proposal, reason: str, turn: Turn) -> Proposal | None:
        early = turn.step == "late_repair"
        asked = prompt.repair(brief, proposal, reason, early, self._room())
        return await self._answer(asked, turn, lambda text: replies.proposal(text, brief.source, proposal))

    async def critique(self, brief: Brief, slate: Slate, turn: Turn) -> tuple[Critique, ...]:
        labels = [entry.label for entry in slate.entries]
        if not labels:
            return ()
        asked = prompt.critique(brief, slate, self._room())
        return await self._answer(asked, turn, lambda text: replies.critiques(text, labels))

    async def respond(
        self, brief: Brief, proposal: Proposal, critiques: tuple[Critique, ...], turn: Turn
    ) -> Response | None:
        asked = prompt.respond(brief, proposal, critiques, self._room())
        return await self._answer(asked, turn, lambda text: replies.response(text, brief.source, proposal))

    async def rank(self, brief: Brief, slate: Slate, turn: Turn) -> Ballot | None:
        labels = [entry.label for entry in slate.entries]
        if not labels:
            return Ballot((), {})
        asked = prompt.rank(brief, slate, self._room())
        return await self._answer(asked, turn, lambda text: replies.ballot(text, labels))

    def estimate(self, brief: Brief, others: int) -> float:
        """Dollars of an ordinary round: every step once, the stable part of the prompt cached after the first.

        `others` is how many proposals a slate has; each is taken to be as long as a usual one.
        """
        return prompt.estimate(self, brief, others, TYPICAL_ANSWER, TYPICAL_THINKING)

    async def ping(self) -> Reply:
        """The shortest reply the model gives, to see that key, name and address are right. Raises a Failure."""
        door = self.provider(api_key=self.key(), base_url=self.base_url)
        question = Request(self.model_name, "Answer with one word.", "", "Say OK.", PING_TOKENS, options=self.options)
        try:
            return await door.complete(question, min(self.timeout, 60.0))
        except Truncated as failure:
            return failure.reply or Reply("")

    def _room(self) -> int:
        """Tokens a prompt may have in this model's window."""
        return int((self.facts.window - self.max_tokens) * WINDOW_MARGIN)

    def _ask(self) -> Asker:
        if self._asker is None:
            door = self.provider(api_key=self.key(), base_url=self.base_url)
            self._asker = Asker(door, self.price())
        self._asker.recorder = self.recorder
        return self._asker

    async def _answer(self, asked: prompt.Prompt, turn: Turn, read: Callable[[str], T]) -> T:
        """Ask, read, and where the reply cannot be read ask once more with the complaint."""
        request = self.request(asked)
        if turn.attempt > 1 and turn.complaint:
            request = replace(request, dialogue=((self._said_before(turn), prompt.unreadable(turn.complaint)),))
        for question in (1, 2):
            said = ""
            try:
                reply = await self._ask().ask(request, turn, question, self.timeout)
                said = reply.text
                return read(said)
            except Truncated as failure:
                complaint = f"your reply was cut off: {failure.message}; answer more briefly"
                said = failure.reply.text if failure.reply else ""
                request = replace(request, max_tokens=min(2 * request.max_tokens, max(self.facts.output, 256)))
            except Failure:
                raise
            except BadReply as error:
                complaint = error.message
            if question == 2 or (turn.attempt > 1 and turn.step == "rank"):
                raise BadReply(f"the reply could not be read: {complaint}")
            pair = (said.strip()[:QUOTED_ANSWER] or "(nothing arrived)", prompt.unreadable(complaint))
            request = replace(request, dialogue=(*request.dialogue, pair))
        raise AssertionError("the second question returns or raises")

    def _said_before(self, turn: Turn) -> str:
        """The member's first answer at this step, as it was recorded."""
        if self.recorder:
            for question in (2, 1):
                if found := self.recorder.stored(replace(turn, attempt=1), question, self.model_name):
                    return found.text[:QUOTED_ANSWER] or "(nothing arrived)"
        return "(an earlier answer)"

    def request(self, asked: prompt.Prompt) -> Request:
        """The prompt as a request to this member's model."""
        return Request(
            model=self.model_name,
            system=asked.system,
            prefix=asked.prefix,
            prompt=asked.tail,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            reasoning=self.reasoning,
            options=self.options,
        )
