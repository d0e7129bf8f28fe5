"""The exam: members forecast past experiments blind, before anyone pays for a night with them.

An item is one settled experiment: its diff on the code it changed, and the brief of its round, which holds nothing that
came later and does not say who wrote what. Each candidate gets them one at a time in an order of its own, through the
`rank` every member has, on a slate with that one entry. What it authored itself is left out. AUC is the chance that an
edit that measured below the book got a higher forecast than one that did not; its 90 % interval is Newcombe's
(Statistics in Medicine 25, 2006, method 5), which also holds where nothing was confused.

The base rate that a brief tells rises after every hit, so it is lower before hits than before misses even where
outcomes are exchangeable: whoever forecasts it gets an AUC below one half without any fault, about .4 after sixty
experiments. So the base rate alone sits the same exam, and a member is told from chance only where its interval lies
beyond both one half and that. How to extend: another figure of the answers is a field of Mark.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from council.brief import brief
from council.errors import Broke, CouncilError
from council.judge.reputation import Z90, Calibration, Interval, calibration
from council.members.base import Member
from council.room import Room
from council.store import Row
from council.types import Brief, Entry, Slate, Turn

if TYPE_CHECKING:
    from council.members.provider import Reply

LABEL = "A"
REFERENCE = "base rate alone"
ITEMS = """
SELECT v.round, v.number, v.delta, p.title, p.hypothesis, p.family, p.diff, p.member
FROM verdicts v JOIN experiments e ON e.session = v.session AND e.number = v.number
JOIN proposals p ON p.id = e.proposal
WHERE v.session = ? AND v.settles = 1 AND p.diff IS NOT NULL ORDER BY v.number
"""


@dataclass(frozen=True)
class Item:
    """One question: the brief of its moment, the edit, who wrote it, and whether it measured below the book."""

    session: str
    number: int
    brief: Brief
    entry: Entry
    author: str
    hit: bool


@dataclass(frozen=True)
class Mark:
    """One candidate. `base_auc` is what the base rate known at the time got on the questions that it answered."""

    member: str
    asked: int
    answered: int
    auc: Interval | None
    base_auc: float | None
    calibration: Calibration | None
    cost_usd: float
    stopped: str = ""

    @property
    def at_chance(self) -> bool:
        """Whether it cannot be told from guessing: the interval reaches one half, the base rate's AUC, or between."""
        if self.auc is None or self.base_auc is None:
            return True
        return self.auc.low <= max(0.5, self.base_auc) and self.auc.high >= min(0.5, self.base_auc)


@dataclass
class Meter:
    """Counts what candidates pay, and refuses a call beyond `cap`; an exam records no calls."""

    cap: float
    spent: float = 0.0
    open: dict[int, float] = field(default_factory=dict)
    calls: int = 0

    def stored(self, turn: Turn, question: int, model: str) -> Reply | None:
        """Nothing is stored."""
        return None

    async def sent(
        self, turn: Turn, question: int, provider: str, model: str, request: Mapping[str, Any], reserve_usd: float
    ) -> int:
        """Set the price of a call aside. Raises Broke beyond the cap."""
        if self.spent + sum(self.open.values()) + reserve_usd > self.cap:
            raise Broke(f"the next call may cost ${reserve_usd:.4f}, and the exam may cost ${self.cap:.2f}")
        self.calls += 1
        self.open[self.calls] = reserve_usd
        return self.calls

    def answered(self, call: int, reply: Reply, cost_usd: float, seconds: float) -> Reply:
        """Count what a reply cost."""
        self.open.pop(call, None)
        self.spent += cost_usd
        return reply

    def left(self, call: int) -> None:
        """A call nobody waits for counts as spent."""
        self.spent += self.open.pop(call, 0.0)


def settled(room: Room) -> list[Row]:
    """The experiments of a session to ask about, in order; `room` needs its store, repository and session alone."""
    return list(room.store.query(ITEMS, room.sid))


def item(room: Room, row: Row) -> Item:
    """The question about one of them."""
    entry = Entry(LABEL, row["title"], row["hypothesis"], row["family"], row["diff"])
    known = brief(room, row["round"], "")  # no member: what the reader wrote itself is not marked
    return Item(room.name, row["number"], known, entry, row["member"], is_hit(row))


def is_hit(row: Row) -> bool:
    """Whether an experiment measured below the book of its moment."""
    return (row["delta"] or 0) > 0


async def sit(member: Member, questions: Sequence[Item], seed: str, said: Callable[[str], None], cap: float) -> Mark:
    """Ask one candidate everything it did not write, in an order drawn from the seed and its name."""
    mine = [q for q in questions if q.author != member.name]
    random.Random(f"{seed} {member.name}").shuffle(mine)
    meter = Meter(cap)
    member.recorder = meter
    answers: list[tuple[float, int, float]] = []
    stopped = ""
    for index, item in enumerate(mine, 1):
        said(f"{member.name}: {index} of {len(mine)}")
        turn = Turn(
            item.session, item.brief.round, "rank", member.name, 1, random.Random(f"{seed} {index}").getrandbits(63)
        )
        try:
            ballot = await member.rank(item.brief, Slate(member.name, (item.entry,)), turn)
            if ballot is not None:
                p = min(max(float(ballot.forecasts[LABEL]), 0.0), 1.0)
                answers.append((p, int(item.hit), item.brief.base_rate))
        except Broke as error:
            stopped = str(error)
            break
        except (CouncilError, KeyError, TypeError, ValueError, AttributeError):
            continue  # no answer is a result too: `answered` says how many
    return mark(member.name, len(mine), answers, meter.spent, stopped)


def mark(member: str, asked: int, answers: Sequence[tuple[float, int, float]], cost: float, stopped: str = "") -> Mark:
    """What (forecast, outcome, base rate at that time) say of a candidate."""
    auc = area([p for p, y, _ in answers if y], [p for p, y, _ in answers if not y])
    base = area([b for _, y, b in answers if y], [b for _, y, b in answers if not y])
    return Mark(member, asked, len(answers), auc, base.value if base else None, calibration(answers), cost, stopped)


def reference(questions: Sequence[Item]) -> Mark:
    """What forecasting the base rate known at the time gets on all questions: no skill at all."""
    told = [(q.brief.base_rate, int(q.hit), q.brief.base_rate) for q in questions]
    return mark(REFERENCE, len(questions), told, 0.0)


def area(hits: Sequence[float], misses: Sequence[float]) -> Interval | None:
    """AUC with its 90 % interval; ties count half; None where all outcomes are equal."""
    if not hits or not misses:
        return None
    won = sum((h > m) + 0.5 * (h == m) for h in hits for m in misses) / (len(hits) * len(misses))
    return Interval(won, _edge(won, 0.0, len(hits), len(misses)), _edge(won, 1.0, len(hits), len(misses)))


def _edge(auc: float, outer: float, m: int, n: int) -> float:
    """The value between `auc` and `outer` that is 1.645 of its own standard errors away from `auc`."""
    inner, far = auc, outer
    for _ in range(60):
        middle = (inner + far) / 2
        inner, far = (middle, far) if abs(middle - auc) <= Z90 * _error(middle, m, n) else (inner, middle)
    return (inner + far) / 2


def _error(auc: float, m: int, n: int) -> float:
    star = (m + n) / 2 - 1
    return math.sqrt(auc * (1 - auc) * (1 + star * (1 - auc) / (2 - auc) + star * auc / (1 + auc)) / (m * n))


def examine(
    members: Mapping[str, Member], questions: Sequence[Item], seed: str, said: Callable[[str], None], cap: float
) -> list[Mark]:
    """Every candidate's mark, the best lower bound first. `cap` is the most dollars each may spend."""

    async def all_of_them() -> list[Mark]:
        return [await sit(member, questions, seed, said, cap) for _, member in sorted(members.items())]

    marks = asyncio.run(all_of_them())
    return sorted(marks, key=lambda m: (-(m.auc.low if m.auc else 0.0), m.member))
