"""A member that says what it was told to say, and remembers what it was asked.

What: per step a queue of replies; a reply is a value, an exception to raise, or a callable that gets what the step got.
Why: a test or a demonstration can put any member into any round without a provider. How to run: name it in
`council.yaml` as `kind: council.testing.scripted:ScriptedMember`, where it abstains, or build it with its replies:

    ScriptedMember("ann", propose=[proposal, Refused("no")], rank=[lambda brief, slate, turn: ballot])
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from council.members.base import Member
from council.types import Ballot, Brief, Critique, Proposal, Response, Slate, Turn


@dataclass(frozen=True)
class Asked:
    """One question this member was asked: the step and everything that came with it."""

    step: str
    arguments: tuple[Any, ...]

    @property
    def turn(self) -> Turn:
        return self.arguments[-1]


class ScriptedMember(Member):
    """Answers each step from its queue; abstains when the queue is empty."""

    kind = "scripted"

    def __init__(
        self,
        name: str,
        *,
        model: str | None = None,
        propose: Iterable[Any] = (),
        rank: Iterable[Any] = (),
        repair: Iterable[Any] = (),
        critique: Iterable[Any] = (),
        respond: Iterable[Any] = (),
        missing: str | None = None,
    ) -> None:
        super().__init__(name, model=model)
        self.missing = missing
        self.history: list[Asked] = []
        self.replies = {
            "propose": deque(propose),
            "rank": deque(rank),
            "repair": deque(repair),
            "critique": deque(critique),
            "respond": deque(respond),
        }

    def absent(self) -> str | None:
        return self.missing

    def asked(self, step: str) -> list[Asked]:
        """What it was asked at a step, in order."""
        return [question for question in self.history if question.step == step]

    async def propose(self, brief: Brief, turn: Turn) -> Proposal | None:
        return await self._reply("propose", brief, turn)

    async def rank(self, brief: Brief, slate: Slate, turn: Turn) -> Ballot | None:
        return await self._reply("rank", brief, slate, turn)

    async def repair(self, brief: Brief, proposal: Proposal, reason: str, turn: Turn) -> Proposal | None:
        return await self._reply("repair", brief, proposal, reason, turn)

    async def critique(self, brief: Brief, slate: Slate, turn: Turn) -> tuple[Critique, ...]:
        return await self._reply("critique", brief, slate, turn) or ()

    async def respond(
        self, brief: Brief, proposal: Proposal, critiques: tuple[Critique, ...], turn: Turn
    ) -> Response | None:
        return await self._reply("respond", brief, proposal, critiques, turn)

    async def _reply(self, step: str, *arguments: Any) -> Any:
        self.history.append(Asked(step, arguments))
        if not self.replies[step]:
            return None
        reply = self.replies[step].popleft()
        if isinstance(reply, BaseException) or (isinstance(reply, type) and issubclass(reply, BaseException)):
            raise reply
        if callable(reply):
            reply = reply(*arguments)
        return await reply if isawaitable(reply) else reply
