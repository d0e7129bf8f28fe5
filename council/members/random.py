"""`random`: chance as a member, the floor that every other member must beat.

What: sets one or two constants of train.py to random values near the present ones, ranks at random and forecasts the
base rate. Why: a council that does not beat it is not worth its money. How to extend: subclass it and override
`ranges` to search elsewhere. No key, no network.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from council import edit, syntax
from council.members import constants
from council.members.base import Member
from council.types import Ballot, Brief, Proposal, Slate, Turn

ATTEMPTS = 50
"""How often it draws again when the draw was already measured or changes nothing."""


class RandomMember(Member):
    """Draws constants at random."""

    kind = "random"

    def ranges(self, values: Mapping[str, float]) -> dict[str, constants.Range]:
        """Where each constant may go from here."""
        return {name: constants.Range.around(value, reach=2.5) for name, value in values.items()}

    async def propose(self, brief: Brief, turn: Turn) -> Proposal | None:
        chance = random.Random(turn.seed)
        try:
            old = constants.searchable(brief)
        except syntax.Unparsable:
            return None
        ranges = self.ranges(old)
        for _ in range(ATTEMPTS if old else 0):
            names = chance.sample(sorted(old), k=min(chance.choice((1, 2)), len(old)))
            new = constants.consistent(old, {name: ranges[name].draw(chance) for name in names})
            if all(new[name] != old[name] for name in names) and not constants.already_ran(brief.history, new):
                return self._proposal(brief, old, {name: new[name] for name in old if new[name] != old[name]})
        return None

    def _proposal(self, brief: Brief, old: dict[str, float], new: dict[str, float]) -> Proposal:
        return Proposal(
            title=constants.title_of(old, new),
            hypothesis="Drawn at random near the present value; there is no reason behind it beyond chance.",
            family=constants.family_of(list(new)),
            edit=edit.between(brief.source, constants.written(brief.source, new, constants.device(brief))),
            forecast=brief.base_rate,
        )

    async def rank(self, brief: Brief, slate: Slate, turn: Turn) -> Ballot | None:
        labels = [entry.label for entry in slate.entries]
        random.Random(turn.seed).shuffle(labels)
        return Ballot(tuple(labels), dict.fromkeys(labels, brief.base_rate))
