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

from council.members.base import Recorder
from council.members.provider import (
    Declined,
    Failure,
    Malformed,
    NotAsked,
    Provider,
    RateLimited,
    Reply,
    Request,
    TooSlow,
    Truncated,
)
from council.members.provider_counts import prompt_tokens, sane
from council.members.provider_price import SAFETY, Price
from council.types import Turn

TRIES = 6
"""Most requests for one question."""
PAID_TRIES, MALFORMED_TRIES = 3, 2
"""Most of them after failures that may have cost money, and after replies that were none."""
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
        malformed = paid = 0
        for attempt in range(1, TRIES + 1):
            try:
                return await self._once(request, turn, question, deadline)
            except Failure as failure:
                malformed += isinstance(failure, Malformed)
                paid += failure.paid
                wait = self.pause(attempt, failure)
                if not failure.again or attempt == TRIES or malformed >= MALFORMED_TRIES or paid >= PAID_TRIES:
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
        parts = 3 + 2 * len(request.dialogue)
        prompt = prompt_tokens(request) * SAFETY + OVERHEAD_TOKENS * (1 + parts)
        return self.price.at_most(int(prompt), request.max_tokens)

    async def _once(self, request: Request, turn: Turn, question: int, deadline: float) -> Reply:
        """One request on the wire, and its two rows."""
        clock = asyncio.get_running_loop().time
        reserve, call, recorder = self.reserve(request), 0, self.recorder
        if recorder:
            public = {**self.provider.public(request), "question": question}
            call = await recorder.sent(turn, question, self.provider.kind, request.model, public, reserve)
        started = clock()
        try:
            if started >= deadline:
                raise NotAsked("no time was left to ask")
            reply = sane(await self.provider.complete(request, deadline - started), request)
        except Failure as failure:
            if recorder:
                came, cost = self._failed(failure, reserve, request)
                recorder.answered(call, came, cost, clock() - started)
            raise
        finally:
            if recorder:
                recorder.left(call)
        if recorder:
            reply = recorder.answered(call, reply, self.price.cost(reply), clock() - started)
        return reply

    def _failed(self, failure: Failure, reserve: float, request: Request) -> tuple[Reply, float]:
        """What is recorded of a failed call, and what it may have cost: as much as can be where nobody says."""
        came = failure.reply or Reply("")
        came = replace(came, status=failure.status, raw={**came.raw, "error": str(failure)})
        if not failure.paid:
            return came, 0.0
        counted = sane(came, request)
        if isinstance(failure, TooSlow) and not came.tokens_out:
            return counted, reserve  # it may still be writing
        cost = self.price.cost(counted)
        if not came.counted:
            cost = self.price.at_most(counted.tokens_in, counted.tokens_out)  # nothing of it cached
        return counted, min(reserve, cost)


def _again(stored: Reply) -> Reply:
    """A stored reply, or the failure that it was."""
    if kind := CONCLUSIVE.get(stored.status):
        raise kind(str(stored.raw.get("error", stored.status)), reply=stored)
    return stored
