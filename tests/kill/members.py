"""Members for killed runs: one whose edits need every repair there is, one that criticises. No chance, no state."""

from __future__ import annotations

from dataclasses import replace

from council import edit, syntax
from council.members.base import Member
from council.types import Ballot, Block, Brief, Critique, Edit, Proposal, Response, Slate, Turn

LATE_CRASH = "step += 1\n        if step > 5:\n            raise RuntimeError('after the smoke')\n"
"""Passes the smoke, which takes three steps, and crashes soon after in a measurement."""


def wider(brief: Brief, name: str, times: int) -> Proposal:
    source = syntax.with_constant(brief.source, name, syntax.constants(brief.source)[name] * times + brief.round)
    return Proposal(f"{name} times {times}", "It may help.", "other", edit.between(brief.source, source), 0.9)


class Breaking(Member):
    """Round after round: an edit that does not apply, mended to one that crashes early, mended to one that runs."""

    kind = "breaking"

    async def propose(self, brief: Brief, turn: Turn) -> Proposal | None:
        return replace(wider(brief, "WIDTH", 2), title="breaks", edit=Edit(blocks=(Block("NOWHERE", "x"),)))

    async def repair(self, brief: Brief, proposal: Proposal, reason: str, turn: Turn) -> Proposal | None:
        if turn.step == "late_repair":
            return wider(brief, "WIDTH", 3)
        return replace(proposal, edit=Edit(blocks=(Block("step += 1\n", LATE_CRASH),)))

    async def rank(self, brief: Brief, slate: Slate, turn: Turn) -> Ballot | None:
        return Ballot(tuple(e.label for e in slate.entries), {e.label: 0.4 for e in slate.entries})

    async def critique(self, brief: Brief, slate: Slate, turn: Turn) -> tuple[Critique, ...]:
        return tuple(Critique(e.label, "Why?") for e in slate.entries)

    async def respond(
        self, brief: Brief, proposal: Proposal, critiques: tuple[Critique, ...], turn: Turn
    ) -> Response | None:
        return Response("It will not break.")


class Steady(Breaking):
    """Proposes what runs, and revises it when criticised."""

    kind = "steady"

    async def propose(self, brief: Brief, turn: Turn) -> Proposal | None:
        return wider(brief, "WIDTH", 4) if self.name == "steady" else None

    async def rank(self, brief: Brief, slate: Slate, turn: Turn) -> Ballot | None:
        ranked = sorted(slate.entries, key=lambda e: e.title != "breaks")
        return Ballot(tuple(e.label for e in ranked), {e.label: 0.6 / (n + 1) for n, e in enumerate(ranked)})

    async def respond(
        self, brief: Brief, proposal: Proposal, critiques: tuple[Critique, ...], turn: Turn
    ) -> Response | None:
        return Response("Narrower, then.", wider(brief, "WIDTH", 5))
