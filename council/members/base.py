"""The contract of a member, and what makes one.

A member is anything that answers a brief with a proposal and a slate with a ballot. To write one: subclass `Member`,
implement `propose` and `rank`, name it in `council.yaml` by dotted path or register it under the entry point
`council.members`, and run `council.testing.contracts.MemberContract` over it.

Duties: derive all chance from `turn.seed`; return None to abstain; raise a `MemberError` for anything else that goes
wrong (any other exception is recorded as `error`); never keep state that a brief does not repeat, since a resumed
session builds its members anew.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from council.types import Ballot, Brief, Critique, Proposal, Response, Slate, Turn

if TYPE_CHECKING:
    from council.members.provider import Reply


class Recorder(Protocol):
    """Where a member that pays for its answers writes every request before it is sent, and every reply before its use.

    A turn may need several calls: `question` 1 is the step's own, 2 asks again after a reply that could not be read.
    """

    def stored(self, turn: Turn, question: int, model: str) -> Reply | None:
        """The reply that an earlier run received to this question, so that nobody pays for it again."""

    async def sent(
        self, turn: Turn, question: int, provider: str, model: str, request: Mapping[str, Any], reserve_usd: float
    ) -> int:
        """Record a request about to be sent and set its price aside; raises Broke if there is no money for it."""

    def answered(self, call: int, reply: Reply, cost_usd: float, seconds: float) -> Reply:
        """Record what came back, secrets redacted, and return it as recorded."""

    def left(self, call: int) -> None:
        """The member stopped waiting for this call; without a reply it counts as spent."""


class Member(ABC):
    """One participant of the council."""

    kind: ClassVar[str]
    is_llm: ClassVar[bool] = False
    needs_network: bool = False
    timeout: float = 0.0  # seconds that one question may take, retries included; 0 for one that answers at once

    def __init__(self, name: str, *, model: str | None = None) -> None:
        self.name = name
        self.model = model
        self.recorder: Recorder | None = None

    def absent(self) -> str | None:
        """Why this member cannot take part here (a missing key), or None if it can."""
        return None

    def secrets(self) -> tuple[str, ...]:
        """The environment variables that hold its keys: their values are never recorded."""
        return ()

    @abstractmethod
    async def propose(self, brief: Brief, turn: Turn) -> Proposal | None:
        """One edit of `brief.source`, or None to abstain."""

    @abstractmethod
    async def rank(self, brief: Brief, slate: Slate, turn: Turn) -> Ballot | None:
        """All labels of the slate from best to worst, forecasts never rising down the ranking; None to abstain."""

    async def repair(self, brief: Brief, proposal: Proposal, reason: str, turn: Turn) -> Proposal | None:
        """A mended proposal after `reason` made this one invalid or crashed it early; None gives up."""
        return None

    async def critique(self, brief: Brief, slate: Slate, turn: Turn) -> tuple[Critique, ...]:
        """Comments on proposals of the slate; empty for a member that does not debate."""
        return ()

    async def respond(
        self, brief: Brief, proposal: Proposal, critiques: tuple[Critique, ...], turn: Turn
    ) -> Response | None:
        """The author's answer to critics of its own proposal; None says nothing."""
        return None
