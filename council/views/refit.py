"""The regression over all rounds of several sessions: who proposes better, whose forecasts are worth something.

Members are pooled by identity (name, kind, model, options, prompt template). Every session starts with fresh running
statistics and a base of its own, as `carry` in `council/judge/forecast.py` has it; skill and weights are common. Rows
are read a session at a time, so that a face can ask once a second. How to extend: a new figure of the posterior goes
into `council/judge/reputation.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from council.judge.forecast import Forecast, Round, Scored, State, carry, outcome, score, settle, start

if TYPE_CHECKING:
    from council.store import Store

Identity = tuple[str, ...]
SETTLED = """
SELECT v.round, v.sigmas, CASE WHEN p.step = 'late_repair' THEN p.replaces ELSE e.proposal END AS voted
FROM verdicts v JOIN experiments e ON e.session = v.session AND e.number = v.number
JOIN proposals p ON p.id = e.proposal WHERE v.session = ? AND v.settles = 1 ORDER BY v.number
"""


def key_of(identity: Identity) -> str:
    """An identity as one string; a name comes first, so that states order members by name."""
    return "\x1f".join(identity)


def identities(store: Store, ids: Iterable[int]) -> dict[tuple[int, str], Identity]:
    """Who each member of those sessions is: {(session, name): identity}."""
    wanted = list(ids)
    marks = ", ".join("?" * len(wanted))
    rows = store.query(f"SELECT * FROM members WHERE session IN ({marks}) ORDER BY id", *wanted)
    columns = ("name", "kind", "model", "options", "template")
    return {(row["session"], row["name"]): tuple(str(row[c]) for c in columns) for row in rows}


def voters(store: Store, ids: Iterable[int]) -> tuple[set[tuple[int, str]], set[tuple[int, str]]]:
    """(judges, members) of those sessions that were present, as (session, name)."""
    wanted = list(ids)
    marks = ", ".join("?" * len(wanted))
    sql = f"SELECT session, name, votes FROM members WHERE session IN ({marks}) AND absent IS NULL"
    rows = list(store.query(sql, *wanted))
    return {(r["session"], r["name"]) for r in rows if r["votes"]}, {(r["session"], r["name"]) for r in rows}


def rounds(store: Store, session: int) -> list[Round]:
    """The rounds of a session that had a vote, as the regression sees them, authors and judges by name."""
    author = {r["id"]: r["member"] for r in store.query("SELECT id, member FROM proposals WHERE session = ?", session)}
    cast: dict[int, list[Forecast]] = defaultdict(list)
    for r in store.query("SELECT round, judge, proposal, p, own FROM forecasts WHERE session = ? ORDER BY id", session):
        cast[r["round"]].append(Forecast(r["judge"], r["proposal"], r["p"], bool(r["own"])))
    settled: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for r in store.query(SETTLED, session):
        settled[r["round"]].append((r["voted"], outcome(r["sigmas"])))
    found = []
    for tally in store.rows("tallies", order="round", session=session):
        standing = {p: author[p] for p in tally["ranking"]}
        mine = [(p, r) for p, r in settled[tally["round"]] if p in standing]
        found.append(Round(standing, cast[tally["round"]], mine))
    return found


def renamed(one: Round, names: Mapping[str, str]) -> Round:
    """The round with its judges and authors under other names."""
    forecasts = [replace(f, judge=names.get(f.judge, f.judge)) for f in one.forecasts]
    return Round({p: names.get(a, a) for p, a in one.authors.items()}, forecasts, one.settled)


def refit(sessions: Sequence[Sequence[Round]], judges: Iterable[str], members: Iterable[str]) -> State:
    """The state after all rounds of all sessions. Its prior is that of the first, so that intervals can be compared."""
    first = state = start(judges, members)
    for number, session in enumerate(sessions):
        if number:
            anew = start(state.judges, state.members, carry(state))
            state = replace(
                anew, features=state.features, proposals=state.proposals, settled=state.settled,
                prior=first.prior, prior_weighted=first.prior_weighted,
            )  # fmt: skip
        for one in session:
            scored: Scored = score(state, one.authors, one.forecasts)
            state = scored.state
            for proposal, r in one.settled:
                state = settle(state, scored.phis[proposal], r)
    return state


def pooled(store: Store, ids: Sequence[int]) -> State:
    """The state over those sessions, members and judges by `key_of` their identity."""
    who = identities(store, ids)
    judges, members = voters(store, ids)
    names = {session: {n: key_of(i) for (s, n), i in who.items() if s == session} for session in ids}
    nights = [[renamed(one, names[session]) for one in rounds(store, session)] for session in ids]
    return refit(nights, {key_of(who[j]) for j in judges}, {key_of(who[m]) for m in members})
