"""Asking a provider: recorded before it is sent, asked again when that can help, stored before it is used.

What: `Asker.ask` gets one reply to one question within a deadline. Why: retries are the council's own, because only it
knows the deadline of the round and the money left. How to extend: what is worth asking again is said by each `Failure`
(`again`), how long to wait by `pause`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from council import tokens
from council.members.base import Recorder
from council.members.provider import (
    Broken,
    Declined,
    Failure,
    Malformed,
    Provider,
    RateLimited,
    Reply,
    Request,
    TooSlow,
    Truncated,
)
from council.members.provider_price import SAFETY, Price
from council.redact import redact
from council.types import Turn

TRIES = 6
"""Most requests for one question."""
MALFORMED_TRIES = 2
"""Most of them after replies that were none."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
OVERHEAD_TOKENS = 50
CONCLUSIVE = {kind.status: kind for kind in (Truncated, Declined)}
"""Failures that are an answer: after a crash they are not paid for again either."""


@dataclass
class Asker:
    """One member's way to its provider."""

    provider: Provider
    price: Price
    recorder: Recorder | None = None
    chance: Callable[[], float] = random.random

    async def ask(self, request: Request, turn: Turn, question: int, seconds: float) -> Reply:
        """The reply to a question within `seconds`, retries included. Raises a Failure, or Broke."""
        if self.recorder and (stored := self.recorder.stored(turn, question, request.model)):
            return _again(stored)
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        malformed = 0
        for attempt in range(1, TRIES + 1):
            try:
                return await self._once(request, turn, question, deadline - clock())
            except Failure as failure:
                malformed += isinstance(failure, Malformed)
                wait = self.pause(attempt, failure)
                if not failure.again or attempt == TRIES or malformed >= MALFORMED_TRIES:
                    raise
                if clock() + wait >= deadline:
                    if isinstance(failure, RateLimited) and failure.retry_after:
                        said = f"{failure} (asks to wait {wait:.0f} s, {max(0.0, deadline - clock()):.0f} s are left)"
                        raise RateLimited(said) from None
                    raise
            await asyncio.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def pause(self, attempt: int, failure: Failure) -> float:
        """Seconds before the next try: what the provider asks for, else doubling with jitter."""
        backoff = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)) * (0.5 + self.chance())
        if failure.retry_after is None:
            return backoff
        return failure.retry_after + FIRST_PAUSE * 0.5 * self.chance()

    def reserve(self, request: Request) -> float:
        """Dollars set aside for a request: the most it can cost."""
        texts = [request.system, request.prefix, request.prompt, *(t for pair in request.dialogue for t in pair)]
        prompt = sum(tokens.count(text) for text in texts) * SAFETY + OVERHEAD_TOKENS * (1 + len(texts))
        return self.price.at_most(int(prompt), request.max_tokens)

    async def _once(self, request: Request, turn: Turn, question: int, seconds: float) -> Reply:
        """One request on the wire, and its two rows."""
        clock = asyncio.get_running_loop().time
        reserve, call, recorder = self.reserve(request), 0, self.recorder
        if recorder:
            public = {**self.provider.public(request), "question": question}
            call = await recorder.sent(turn, question, self.provider.kind, request.model, public, reserve)
        started = clock()
        try:
            if seconds <= 0:
                raise TooSlow("no time was left to ask")
            reply = await self.provider.complete(request, seconds)
        except Failure as failure:
            failure.message = redact(failure.message, [self.provider.api_key or ""])
            failure.args = (failure.message,)
            if recorder:
                came = failure.reply or Reply("")
                cost = self._cost(failure, reserve, request)
                came = replace(came, status=failure.status, raw={**came.raw, "error": str(failure)})
                recorder.answered(call, came, cost, clock() - started)
            raise
        finally:
            if recorder:
                recorder.left(call)
        if not reply.counted:
            reply = replace(reply, tokens_in=self._prompt_tokens(request), tokens_out=tokens.count(reply.text))
        if recorder:
            reply = recorder.answered(call, reply, self.price.cost(reply), clock() - started)
        return reply

    def _cost(self, failure: Failure, reserve: float, request: Request) -> float:
        """What a failed call may have cost: what was counted, else as much as can be, never less than it did."""
        came = failure.reply
        if isinstance(failure, TooSlow) and (came is None or not came.counted or came.tokens_out < 2):
            return reserve if failure.billed else 0.0
        if came is not None and came.counted:
            written = max(came.tokens_out, tokens.count(came.text))
            return min(reserve, self.price.cost(replace(came, tokens_out=written)))
        if not failure.billed or came is None:
            return 0.0
        if isinstance(failure, Broken | Malformed) and not came.text:
            return self.price.at_most(self._prompt_tokens(request), 0)
        return min(reserve, self.price.at_most(self._prompt_tokens(request), tokens.count(came.text)))

    def _prompt_tokens(self, request: Request) -> int:
        return tokens.count(request.system + request.prefix + request.prompt)


def _again(stored: Reply) -> Reply:
    """A stored reply, or the failure that it was."""
    if kind := CONCLUSIVE.get(stored.status):
        raise kind(str(stored.raw.get("error", stored.status)), reply=stored)
    return stored
