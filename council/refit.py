"""The regression over all rounds of several sessions: who proposes better, whose forecasts are worth something.

Members are pooled by identity (name, kind, model, options, prompt template), sessions when measured under the same
conditions. Every session starts with fresh running statistics and a base of its own, as `carry` in
`council/judge/forecast.py` has it; skill and weights are common. The leaderboard is this over all of them, and a new
session starts its picking from it (`carried`). Rows are read a session at a time, so that a face can ask once a second.
How to extend: a new figure of the posterior goes into `council/judge/reputation.py`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from council.judge.forecast import Carried, Forecast, Phi, Round, Scored, State, carry, outcome, score, settle, start

if TYPE_CHECKING:
    from council.store import Row, Store

Identity = tuple[str, ...]
SETTLED = """
SELECT v.round, v.sigmas, CASE WHEN p.step = 'late_repair' THEN p.replaces ELSE e.proposal END AS voted
FROM verdicts v JOIN experiments e ON e.session = v.session AND e.number = v.number
JOIN proposals p ON p.id = e.proposal JOIN ledger l ON l.tbl = 'verdicts' AND l.row_id = v.id
WHERE v.session = ? AND v.settles = 1 AND l.seq < ? ORDER BY v.number
"""
FIRST = """
SELECT s.id, s.name, m.fingerprint, m.conditions, m.sandbox FROM sessions s LEFT JOIN measurements m
ON m.id = (SELECT min(id) FROM measurements WHERE session = s.id AND status = 'ok') ORDER BY s.id
"""
INCIDENTAL = ("price", "timeout", "api_key_env")
"""Options of a member that change nothing of what it answers."""
NEVER = 2**62
"""A ledger line that no row has."""


def comparable(store: Store, session: int) -> list[Row]:
    """Sessions (id, name) whose first measurement has the data, conditions and sandbox of that one's; itself too."""
    rows = list(store.query(FIRST))
    mine = next((_where(row) for row in rows if row["id"] == session), (None,))
    return [row for row in rows if row["id"] == session or (_where(row) == mine and mine[0] is not None)]


def _where(row: Row) -> tuple[object, ...]:
    return (row["fingerprint"], row["conditions"], row["sandbox"])


def key_of(identity: Identity) -> str:
    """An identity as one string; a name comes first, so that states order members by name."""
    return "\x1f".join(identity)


def name_of(key: str) -> str:
    """The member's name in what `key_of` made."""
    return key.partition("\x1f")[0]


def identities(store: Store, ids: Iterable[int]) -> dict[tuple[int, str], Identity]:
    """Who each member of those sessions is: {(session, name): identity}.

    One that was absent and proposed nothing is who it was, with its last template, when it was there.
    """
    wanted = list(ids)
    marks = ", ".join("?" * len(wanted))
    rows = list(store.query(f"SELECT * FROM members WHERE session IN ({marks}) ORDER BY id", *wanted))
    wrote = store.query(f"SELECT DISTINCT session, member FROM proposals WHERE session IN ({marks})", *wanted)
    authors = {(row["session"], row["member"]) for row in wrote}
    present = {_configured(row): _identity(row) for row in rows if row["absent"] is None}
    found = {}
    for row in rows:
        member = (row["session"], row["name"])
        away = row["absent"] is not None and member not in authors  # nobody knows its template, and it did nothing
        found[member] = present.get(_configured(row), _identity(row)) if away else _identity(row)
    return found


def _configured(row: Row) -> Identity:
    """What council.yaml says of who a member is."""
    options = json.loads(row["options"])
    if isinstance(options, dict):
        options = {key: value for key, value in options.items() if key not in INCIDENTAL}
    said = json.dumps(options, sort_keys=True, ensure_ascii=False)
    return (str(row["name"]), str(row["kind"]), str(row["model"]), said)


def _identity(row: Row) -> Identity:
    return (*_configured(row), str(row["template"]))


def voters(store: Store, ids: Iterable[int]) -> tuple[set[tuple[int, str]], set[tuple[int, str]]]:
    """(judges, members) of those sessions that were present, as (session, name)."""
    wanted = list(ids)
    marks = ", ".join("?" * len(wanted))
    sql = f"SELECT session, name, votes FROM members WHERE session IN ({marks}) AND absent IS NULL"
    rows = list(store.query(sql, *wanted))
    return {(r["session"], r["name"]) for r in rows if r["votes"]}, {(r["session"], r["name"]) for r in rows}


def rounds(store: Store, session: int, before: int = NEVER) -> list[Round]:
    """The rounds of a session that had a vote, as the regression sees them, authors and judges by name.

    Settlements are those the ledger recorded before its line `before`.
    """
    tallies = store.rows("tallies", order="round", session=session)  # first: what it ranks was there before it
    author = {r["id"]: r["member"] for r in store.query("SELECT id, member FROM proposals WHERE session = ?", session)}
    cast: dict[int, list[Forecast]] = defaultdict(list)
    for r in store.query("SELECT round, judge, proposal, p, own FROM forecasts WHERE session = ? ORDER BY id", session):
        cast[r["round"]].append(Forecast(r["judge"], r["proposal"], r["p"], bool(r["own"])))
    settled: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for r in store.query(SETTLED, session, before):
        settled[r["round"]].append((r["voted"], outcome(r["sigmas"])))
    found: list[Round] = []
    stood: set[int] = set()
    for tally in tallies:
        standing = {p: author[p] for p in tally["ranking"] if p in author}
        stood |= set(standing)  # a runner-up of an earlier round may settle in this one
        mine = [(p, r) for p, r in settled[tally["round"]] if p in stood]
        found.append(Round(standing, cast[tally["round"]], mine))
    return found


def renamed(one: Round, names: Mapping[str, str]) -> Round:
    """The round with its judges and authors under other names."""
    forecasts = [replace(f, judge=names.get(f.judge, f.judge)) for f in one.forecasts]
    return Round({p: names.get(a, a) for p, a in one.authors.items()}, forecasts, one.settled)


def nights(store: Store, ids: Sequence[int], before: int = NEVER) -> list[list[Round]]:
    """The rounds of each of those sessions, members and judges by `key_of` their identity."""
    who = identities(store, ids)
    names = {session: {n: key_of(i) for (s, n), i in who.items() if s == session} for session in ids}
    return [[renamed(one, names[session]) for one in rounds(store, session, before)] for session in ids]


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
        phis: dict[int, Phi] = {}
        for one in session:
            scored: Scored = score(state, one.authors, one.forecasts)
            state = scored.state
            phis |= scored.phis
            for proposal, r in one.settled:
                state = settle(state, phis[proposal], r)
    return state


def pooled(store: Store, ids: Sequence[int], before: int = NEVER) -> State:
    """The state over those sessions up to a line of the ledger, members and judges by `key_of` their identity."""
    who = identities(store, ids)
    judges, members = voters(store, ids)
    return refit(nights(store, ids, before), {key_of(who[j]) for j in judges}, {key_of(who[m]) for m in members})


def carried(store: Store, session: int) -> Carried | None:
    """What a session starts its picking from: skill and weights learnt before it opened, of members still the same.

    Over earlier sessions measured like it, from settlements that the ledger recorded before the session; so nothing
    that happens later, such as an older session going on, changes it. None where there is none; known once the session
    has its first measurement.
    """
    opened = next(store.query("SELECT seq FROM ledger WHERE tbl = 'sessions' AND row_id = ?", session), None)
    line = opened["seq"] if opened else 0
    earlier = [int(row["id"]) for row in comparable(store, session) if row["id"] < session]
    ids = [one for one in earlier if next(store.query(SETTLED, one, line), None) is not None]
    if not ids:
        return None
    found = carry(pooled(store, ids, line))
    mine = {key_of(who): name for (_, name), who in identities(store, [session]).items()}
    return replace(
        found,
        judges=tuple(mine.get(j, j) for j in found.judges),
        members=tuple(mine.get(m, m) for m in found.members),
    )
