"""What bends the votes: place on the slate, liking one's own, thinking alike; and what measured runner-ups say.

How to extend: a new meter is a function of `council/judge/meters.py` and a field here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from council.judge import meters
from council.judge.forecast import Forecast, Round, outcome
from council.judge.meters import Independence, Meter, Position, Regret
from council.refit import identities, key_of, name_of, renamed, rounds

if TYPE_CHECKING:
    from council.store import Store

SEED = 20261120
"""Of the bootstrap: the same rows give the same interval."""
_SLATES = """
SELECT s.shown, b.stated FROM slates s JOIN ballots b ON b.slate = s.id
WHERE s.session = ? AND s.step = 'rank' ORDER BY s.id
"""
_RUNNERS = """
SELECT v.sigmas, t.sigmas AS pick FROM verdicts v
JOIN experiments e ON e.session = v.session AND e.number = v.number AND e.role = 'runner_up'
JOIN tallies y ON y.session = e.session AND y.round = e.round
JOIN experiments x ON x.session = e.session AND x.round = e.round AND x.role = 'trial' AND x.proposal = y.pick
JOIN verdicts t ON t.session = x.session AND t.number = x.number AND t.settles = 1
WHERE v.session = ? AND v.settles = 1 ORDER BY v.number
"""


@dataclass(frozen=True)
class Meters:
    """Position over all judges, self-preference per judge (by `key_of` its identity), independence, regret."""

    position: Position
    self_preference: dict[str, Meter]
    independence: Independence
    regret: Regret

    def as_json(self) -> dict[str, object]:
        """The same for machines; self-preference per judge, of which several may have one name."""
        own = [{"name": name_of(key), **asdict(meter)} for key, meter in self.self_preference.items()]
        return {**asdict(self), "self_preference": own}


def read(store: Store, ids: Sequence[int]) -> Meters:
    """The meters over those sessions."""
    who = identities(store, ids)
    shown: list[list[float]] = []
    everything: list[Round] = []
    cast: list[Forecast] = []
    settled: dict[int, float] = {}
    runners: list[tuple[float, float]] = []
    for session in ids:
        names = {n: key_of(i) for (s, n), i in who.items() if s == session}
        shown += _slates(store, session)
        for one in rounds(store, session):
            everything.append(renamed(one, names))
            cast += [Forecast(names.get(f.judge, f.judge), f.proposal, f.p, f.own) for f in one.forecasts]
            settled |= dict(one.settled)
        runners += [(outcome(r["pick"]), outcome(r["sigmas"])) for r in store.query(_RUNNERS, session)]
    return Meters(
        meters.position(shown),
        meters.self_preference(everything),
        meters.independence(cast, settled, SEED),
        meters.regret(runners),
    )


def _slates(store: Store, session: int) -> list[list[float]]:
    """Per answered slate what the judge stated, in the order in which it was shown."""
    found = []
    for row in store.query(_SLATES, session):
        stated = json.loads(row["stated"])
        found.append([float(stated[label]) for label, _ in json.loads(row["shown"]) if label in stated])
    return found
