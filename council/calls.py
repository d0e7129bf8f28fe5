"""The recorder of calls: a request is a row before it is sent, a reply is a row before it is used.

What: `Calls` implements `council.members.base.Recorder` over the tables `calls` and `replies`. Why: after a kill at any
moment no reply that was received is paid for again, and a call without a reply is known to be lost and counts as
spent. How to extend: what is recorded of a call is in `sent` and `answered`; both redact secrets on the way in.
With a request stands the price at which its reply will be counted, so that an audit can count it again.

The cap on dollars is kept here, since this is where money is set aside: spent plus in flight plus the next call never
exceeds it. A call that would fit once others have come back waits for them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Protocol, runtime_checkable

from council import redact
from council.errors import Broke
from council.members.base import Member
from council.members.llm_resting import failed_rounds, resting_until
from council.members.provider import Reply
from council.members.provider_price import Price
from council.store import Row, Store, now
from council.types import Turn

ANSWERS = ("ok", "truncated", "refused")
"""Statuses of replies that are answers: asking again would pay twice for the same."""

MONEY = """
SELECT coalesce(sum(r.cost_usd), 0) AS paid, coalesce(sum(CASE WHEN r.id IS NULL THEN c.reserved_usd END), 0) AS open
FROM calls c LEFT JOIN replies r ON r.call = c.id WHERE c.session = ?
"""

FOUND = """
SELECT r.*, c.request FROM calls c JOIN replies r ON r.call = c.id
WHERE c.session = ? AND c.round = ? AND c.step = ? AND c.member = ? AND c.attempt = ? AND c.model = ?
AND json_extract(c.request, '$.question') = ? ORDER BY c.turn DESC
"""


@runtime_checkable
class Priced(Protocol):
    """A member that pays by the token."""

    def price(self) -> Price:
        """Dollars per token of its model."""


class Calls:
    """The calls of one session, and the recorder of its members. `cap` is the most it may spend, None for no cap."""

    def __init__(
        self, store: Store, session: int, members: Mapping[str, Member] | None = None, *, cap: float | None = None
    ) -> None:
        self.store = store
        self.session = session
        self.cap = cap
        present = tuple((members or {}).values())
        self.prices = {name: asdict(m.price()) for name, m in (members or {}).items() if isinstance(m, Priced)}
        self.values = tuple(v for m in present for name in m.secrets() if (v := os.environ.get(name, "").strip()))
        for member in present:
            member.recorder = self
        self.live: dict[int, float] = {}
        self._changed = asyncio.Event()

    def stored(self, turn: Turn, question: int, model: str) -> Reply | None:
        """The answer that this session already received to a question of this turn."""
        key = (self.session, turn.round, turn.step, turn.member, turn.attempt, model, question)
        for row in self.store.query(FOUND, *key):
            if row["status"] in ANSWERS:
                return _reply(self.store.decode("replies", row))
        return None

    async def sent(
        self, turn: Turn, question: int, provider: str, model: str, request: Mapping[str, Any], reserve_usd: float
    ) -> int:
        """Record a request and set its price aside. Raises Broke if the cap does not allow it."""
        await self._afford(turn.member, reserve_usd)
        said = {**request, "question": question, "price": self.prices.get(turn.member)}
        where = {
            "session": self.session,
            "round": turn.round,
            "step": turn.step,
            "member": turn.member,
            "attempt": turn.attempt,
        }
        with self.store.atomic():
            last = self.store.one("calls", order="turn DESC", **where)
            call = self.store.insert(
                "calls",
                {
                    **where,
                    "turn": last["turn"] + 1 if last else 1,
                    "at": now(),
                    "provider": provider,
                    "model": model,
                    "request": redact.clean(said, self.values),
                    "reserved_usd": reserve_usd,
                },
            )
        self.live[call] = reserve_usd
        return call

    def answered(self, call: int, reply: Reply, cost_usd: float, seconds: float) -> Reply:
        """Record what came back to a call, and return it as recorded."""
        row = {
            "call": call,
            "at": now(),
            "status": reply.status,
            "text": redact.redact(reply.text, self.values),
            "raw": redact.clean({**reply.raw, "tokens_written": reply.tokens_written}, self.values),
            "tokens_in": reply.tokens_in,
            "tokens_cached": reply.tokens_cached,
            "tokens_out": reply.tokens_out,
            "cost_usd": cost_usd,
            "seconds": round(seconds, 3),
            "request_id": redact.redact(reply.request_id, self.values) or None,
        }
        with self.store.atomic():
            found = self.store.insert("replies", row)
        self._settle(call)
        return _reply(self.store.get("replies", found))

    def left(self, call: int) -> None:
        """Nobody waits for this call any more; without a reply it stays counted at what was set aside."""
        self._settle(call)

    def money(self) -> tuple[float, float]:
        """(dollars for replies and for lost calls, dollars set aside for calls in flight)."""
        row: Row = next(self.store.query(MONEY, self.session))
        flying = sum(self.live.values())
        return row["paid"] + max(0.0, row["open"] - flying), flying

    async def _afford(self, member: str, reserve: float) -> None:
        """Return once the call fits under the cap; raise Broke if it cannot even when all others have come back."""
        while self.cap is not None:
            spent, flying = self.money()
            if spent + flying + reserve <= self.cap:
                return
            if spent + reserve > self.cap or not self.live:
                raise Broke(
                    f"{member}'s next call may cost ${reserve:.4f}, and ${max(0.0, self.cap - spent):.4f} of the "
                    f"${self.cap:.2f} are left"
                )
            self._changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), 5.0)

    def _settle(self, call: int) -> None:
        if self.live.pop(call, None) is not None:
            self._changed.set()


def resting(store: Store, session: int, member: str, round_: int) -> int:
    """Up to which round a member rests, as the rows before `round_` say; it rests in `round_` if that is not less."""
    failed = failed_rounds(store.rows("outcomes", session=session, member=member), member)
    delivered = {row["round"] for row in store.rows("proposals", session=session, member=member)}
    delivered |= {row["round"] for row in store.rows("ballots", session=session, judge=member)}
    return resting_until({r for r in failed if r < round_}, {r for r in delivered if r < round_})


def _reply(row: Row) -> Reply:
    raw = dict(row["raw"] or {})
    return Reply(
        text=row["text"],
        status=row["status"],
        tokens_in=row["tokens_in"],
        tokens_cached=row["tokens_cached"],
        tokens_written=int(raw.pop("tokens_written", 0)),
        tokens_out=row["tokens_out"],
        request_id=row["request_id"] or "",
        raw=raw,
    )
