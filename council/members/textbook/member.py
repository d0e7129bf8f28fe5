"""The member behind `textbook`: which edit it proposes next, and what it thinks of the others'.

What: it draws an edit that still applies and that it has not run in this session, likelier ones first; when none is
left it combines two; then it abstains. Others' proposals it judges by how their family has done. How to extend:
`council.members.textbook.catalogue` says how to add an edit.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import chain, combinations

from council import edit
from council.members import constants
from council.members.base import Member
from council.members.textbook import architecture, attention, embedding, optimizer, schedule
from council.members.textbook.catalogue import TextbookEdit, edits_of
from council.members.textbook.rewrite import Code
from council.types import TITLE_LIMIT, Ballot, Brief, Proposal, Slate, Turn

CHAPTERS = (optimizer, schedule, architecture, attention, embedding)
"""The modules that hold edits."""

EDITS = tuple(entry for chapter in CHAPTERS for entry in edits_of(chapter))
"""Every edit in the book."""

DOUBT = 4
"""How many experiments at the base rate a family's own record is mixed with."""


SETTLING = frozenset({"keep", "discard", "crash", "rejected"})
"""Verdicts that say something about an edit."""


class TextbookMember(Member):
    """Works through the book in random order."""

    kind = "textbook"

    async def propose(self, brief: Brief, turn: Turn) -> Proposal | None:
        chance, device = random.Random(turn.seed), constants.device(brief)
        run = {past.title for past in brief.history if past.mine}
        fresh = [entry for entry in EDITS if entry.title not in run]
        for entry in chain(shuffled(fresh, chance), _pairs(brief, run, chance)):
            child = entry.apply(brief.source, device)
            if child is not None:
                made = edit.between(brief.source, child)
                return Proposal(entry.title, entry.hypothesis, entry.family, made, entry.prior)
        return None

    async def rank(self, brief: Brief, slate: Slate, turn: Turn) -> Ballot | None:
        labels = [entry.label for entry in slate.entries]
        random.Random(turn.seed).shuffle(labels)
        families = {entry.label: entry.family for entry in slate.entries}
        forecasts = {label: family_rate(brief, families[label]) for label in labels}
        return Ballot(tuple(sorted(labels, key=lambda label: -forecasts[label])), forecasts)


def shuffled(entries: Sequence[TextbookEdit], chance: random.Random) -> list[TextbookEdit]:
    """The entries in random order, each the earlier the likelier it is to help (weights: the priors)."""
    return sorted(entries, key=lambda entry: -(chance.random() ** (1 / entry.prior)))


def family_rate(brief: Brief, family: str) -> float:
    """How often edits of a family beat the book in this session, shrunk towards the base rate."""
    settled = [past for past in brief.history if past.family == family and past.verdict in SETTLING]
    hits = sum(past.delta is not None and past.delta > 0 for past in settled)
    return (hits + DOUBT * brief.base_rate) / (len(settled) + DOUBT)


def combined(first: TextbookEdit, second: TextbookEdit) -> TextbookEdit:
    """Both edits, one after the other; it helps about as often as the worse of the two."""

    def rewrite(code: Code) -> None:
        first.rewrite(code)
        code.commit()
        second.rewrite(code)

    return TextbookEdit(
        title=f"{first.title} + {second.title}",
        hypothesis=f"Two edits at once, since neither is new here. {first.hypothesis} {second.hypothesis}",
        family=first.family if first.family == second.family else "other",
        prior=min(first.prior, second.prior),
        rewrite=rewrite,
    )


def _pairs(brief: Brief, run: set[str], chance: random.Random) -> Iterator[TextbookEdit]:
    """All pairs of edits that each apply here and that this member has not run as a pair, in random order."""
    fitting = [entry for entry in EDITS if entry.apply(brief.source, constants.device(brief)) is not None]
    pairs = [combined(first, second) for first, second in combinations(fitting, 2)]
    for pair in shuffled(pairs, chance):
        first, _, second = pair.title.partition(" + ")
        if not run & {pair.title, f"{second} + {first}"} and len(pair.title) <= TITLE_LIMIT:
            yield pair
