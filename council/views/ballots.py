"""The ballots of a round, each judge's own labels and order translated into the letters of the round.

A judge that saw a slate and gave no ballot is listed with `ranking` null. Forecasts include the judge's own proposal,
which is in `recused` and never in `shown`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from council.views.labels import Labels
from council.views.sessions import Row

if TYPE_CHECKING:
    from council.store import Store


@dataclass(frozen=True)
class Ballot:
    """What one judge saw, in its display order, how it ranked that, and its forecast per letter."""

    member: str
    shown: list[str]
    ranking: list[str] | None
    recused: list[str]
    forecasts: dict[str, float]


def read(store: Store, key: Row, labels: Labels) -> tuple[Ballot, ...]:
    """The ballots of one round in order of the judges' names; `key` is its session and round."""
    ballots = {row["slate"]: row for row in store.rows("ballots", **key)}
    forecasts: dict[str, dict[str, float]] = defaultdict(dict)
    for row in store.rows("forecasts", **key):
        if label := labels.name(row["proposal"]):
            forecasts[row["judge"]][label] = row["p"]
    slates = store.rows("slates", order="judge, id", step="rank", **key)
    return tuple(_one(slate, ballots.get(slate["id"]), forecasts[slate["judge"]], labels) for slate in slates)


def _one(slate: Row, ballot: Row | None, forecasts: dict[str, float], labels: Labels) -> Ballot:
    own = {shown: labels.name(proposal) for shown, proposal in slate["shown"]}
    return Ballot(
        member=slate["judge"],
        shown=[name for name in own.values() if name],
        ranking=None if ballot is None else [name for shown in ballot["ranking"] if (name := own.get(shown))],
        recused=labels.names(slate["recused"]),
        forecasts=dict(sorted(forecasts.items())),
    )
