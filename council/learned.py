"""What the judge has learnt in a session: the regression of `council/judge/forecast.py` over the rows of its rounds.

Never stored: it is rebuilt from forecasts, tallies and settled verdicts, so nothing can disagree with it. A session
starts from what comparable ones before it have shown (`carried` in `council/refit.py`). `Learner` keeps the state after
every round, so that a long night pays for each round once.
"""

from __future__ import annotations

from collections.abc import Sequence

from council.judge.forecast import Forecast, Rebuilt, Round, Scored, outcome, score, settle, start
from council.refit import carried
from council.store import Row, Store

SETTLED = """
SELECT v.number, v.sigmas, CASE WHEN p.step = 'late_repair' THEN p.replaces ELSE e.proposal END AS voted
FROM verdicts v JOIN experiments e ON e.session = v.session AND e.number = v.number
JOIN proposals p ON p.id = e.proposal WHERE v.session = ? AND v.round = ? AND v.settles = 1 ORDER BY v.number
"""


def voters(store: Store, session: int) -> tuple[list[str], list[str]]:
    """(judges, members) of a session, as fixed when it opened."""
    present = [m for m in store.rows("members", session=session) if m["absent"] is None]
    return [m["name"] for m in present if m["votes"]], [m["name"] for m in present]


def forecasts(store: Store, session: int, round_: int) -> list[Forecast]:
    """The forecasts of a round, own ones included."""
    rows = store.rows("forecasts", session=session, round=round_)
    return [Forecast(r["judge"], r["proposal"], r["p"], bool(r["own"])) for r in rows]


def settled(store: Store, session: int, round_: int) -> list[tuple[int, int, float]]:
    """(experiment, proposal voted on, r) of a round's settled verdicts; a failure settles at the lower end."""
    rows = store.query(SETTLED, session, round_)
    return [(row["number"], row["voted"], outcome(row["sigmas"])) for row in rows]


def authors(store: Store, tally: Row) -> dict[int, str]:
    """Who wrote each proposal that stood for the vote of a tally."""
    ids: Sequence[int] = tally["ranking"]
    marks = ", ".join("?" * len(ids))
    return {r["id"]: r["member"] for r in store.query(f"SELECT id, member FROM proposals WHERE id IN ({marks})", *ids)}


def past(store: Store, session: int, round_: int) -> Round | None:
    """A round as the regression sees it, or None if it had no vote."""
    tally = store.one("tallies", session=session, round=round_)
    if tally is None:
        return None
    found = [(proposal, r) for _, proposal, r in settled(store, session, round_)]
    return Round(authors(store, tally), forecasts(store, session, round_), found)


class Learner:
    """The state after every round of a session, each computed once; asked for when the baseline has been measured."""

    def __init__(self, store: Store, session: int) -> None:
        self.store = store
        self.session = session
        self._states: list[Rebuilt] = []

    def before(self, round_: int) -> Rebuilt:
        """What was known when a round began; `phis` and `scores` of all proposals voted on so far."""
        if not self._states:
            begin = start(*voters(self.store, self.session), carried(self.store, self.session))
            self._states.append(Rebuilt(begin, {}, {}))
        while len(self._states) < round_:
            known = self._states[-1]
            one = past(self.store, self.session, len(self._states))
            if one is not None:
                known = _learn(known, score(known.state, one.authors, one.forecasts), one.settled)
            self._states.append(known)
        return self._states[max(0, round_ - 1)]

    def scored(self, round_: int, standing: dict[int, str]) -> Scored:
        """The expected r of each standing proposal {id: author} of a round, and the state that has seen its votes."""
        return score(self.before(round_).state, standing, forecasts(self.store, self.session, round_))

    def after(self, round_: int, number: int) -> Rebuilt:
        """What is known once the round's experiments up to `number` have settled."""
        known = self.before(round_)
        tally = self.store.one("tallies", session=self.session, round=round_)
        if tally is None:
            return known
        found = [(p, r) for at, p, r in settled(self.store, self.session, round_) if at <= number]
        return _learn(known, self.scored(round_, authors(self.store, tally)), found)


def _learn(known: Rebuilt, scored: Scored, found: Sequence[tuple[int, float]]) -> Rebuilt:
    """What is known after a round's votes and its settlements, which may be of an earlier round's runner-up."""
    state, phis = scored.state, {**known.phis, **scored.phis}
    for proposal, r in found:
        if proposal in phis:
            state = settle(state, phis[proposal], r)
    return Rebuilt(state, phis, {**known.scores, **scored.scores})
