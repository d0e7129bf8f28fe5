"""The past under another rule: which proposal each round would have picked from the very ballots that were cast.

A round is counted as it stood, after the rounds that really happened; so this says how often rules agree, and how what
both would have picked was measured. What a proposal that never ran would have measured nobody knows, and nothing here
guesses it. Pure reading. How to extend: a rule is a function as `council.judge.Tally`, given by name or as
`module:function` (docs/extending.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from council import judge
from council.judge import Tally
from council.judge.meters import Meter, mean_of
from council.judge.reputation import Interval, wilson
from council.learned import Learner, authors, settled
from council.store import Row, Store, digest
from council.types import Ballot
from council.voting import FORECAST


@dataclass(frozen=True)
class Replayed:
    """One round: what was picked, what the rule picks, and r (in σ, clipped) of either where it was measured."""

    round: int
    picked: int
    would: int
    r_picked: float | None
    r_would: float | None

    @property
    def same(self) -> bool:
        """Whether both pick the same proposal."""
        return self.picked == self.would


@dataclass(frozen=True)
class Replay:
    """A session under another rule. `agreed` and `disagreed` hold mean r of what was picked in those rounds.

    `both` is the r of the rule's pick less that of the real one, over rounds in which both were measured.
    """

    session: str
    rule: str
    ran_under: tuple[str, ...]
    rounds: tuple[Replayed, ...]
    agreement: Interval | None
    agreed: Meter
    disagreed: Meter
    both: Meter
    unknown: int


def find(name: str) -> Tally | None:
    """The rule of that name, or at `module:function`; None for the rule that learns. Raises ConfigError."""
    return None if name == FORECAST else judge.rule(name)


def replay(store: Store, session: Row, name: str) -> Replay:
    """Count every round of a session anew under a rule."""
    rule, sid = find(name), session["id"]
    learner = Learner(store, sid)
    tallies = store.rows("tallies", order="round", session=sid)
    rounds = tuple(_round(store, session, tally, rule, learner) for tally in tallies)
    same = [one for one in rounds if one.same]
    other = [one for one in rounds if not one.same]
    both = [one.r_would - one.r_picked for one in other if one.r_would is not None and one.r_picked is not None]
    return Replay(
        session=session["name"],
        rule=name,
        ran_under=tuple(sorted({t["rule"] for t in tallies})),
        rounds=rounds,
        agreement=wilson(len(same), len(rounds)) if rounds else None,
        agreed=mean_of([one.r_picked for one in same if one.r_picked is not None]),
        disagreed=mean_of([one.r_picked for one in other if one.r_picked is not None]),
        both=mean_of(both),
        unknown=sum(one.r_would is None for one in other),
    )


def _round(store: Store, session: Row, tally: Row, rule: Tally | None, learner: Learner) -> Replayed:
    sid, number = session["id"], tally["round"]
    standing = authors(store, tally)
    if rule is None:
        scores: Mapping[int, float] = learner.scored(number, standing).scores
    else:
        slates = store.rows("slates", session=sid, round=number, step="rank")
        cast = store.rows("ballots", session=sid, round=number)
        shown = {s["judge"]: dict(s["shown"]) for s in slates}
        voted = {b["judge"]: Ballot(tuple(b["ranking"]), b["stated"]) for b in cast}
        scores = judge.scores(rule, shown, voted, standing)
    would = judge.order(scores, lambda p: digest([session["seed"], number, p]))[0]
    measured = {proposal: r for _, proposal, r in settled(store, sid, number)}
    return Replayed(number, tally["pick"], would, measured.get(tally["pick"]), measured.get(would))
