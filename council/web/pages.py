"""What each page shows: a view of the store in, the template's context and the JSON of the same page out.

Every function takes the store, what the address asks and the reader (for charts); it runs on a thread of its own and
computes nothing that a view does not. How to extend: a new page is a function here or in `more_pages.py`, a template
of that name, and a line in `routes.py`; what its address may ask is named in PARAMETERS.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from council.errors import UsageError
from council.ui import charts
from council.ui import leaderboard as face
from council.views import (
    calls,
    costs,
    debate,
    leaderboard,
    night,
    rounds,
    sentences,
    sessions,
    staircase,
    status,
    watch,
)
from council.views import round as round_view
from council.views.round import Round

if TYPE_CHECKING:
    from council.store import Store
    from council.web.reader import Reader

LAST = 12
"""Rounds on the overview."""

PARAMETERS = (
    "session",
    "verdict",
    "member",
    "q",
    "sort",
    "dir",
    "page",
    "name",
    "number",
    "id",
    "a",
    "b",
    "all",
    "pool",
)
"""What an address may ask of a page; links carry nothing else on."""


@dataclass(frozen=True)
class Ask:
    """What an address asks. `session` is None unless it names one, so that `/` follows the last."""

    args: Mapping[str, str]
    path: str = "/"

    @property
    def session(self) -> str | None:
        """The session the address names."""
        return self.args.get("session") or None

    def number(self, name: str, default: int = 0) -> int:
        """A whole number of the address. Raises UsageError for anything else."""
        text = self.args.get(name) or str(default)
        if not (text.isascii() and text.isdigit() and len(text) < 12):
            raise UsageError(f"{name} must be a whole number, not {text[:40]!r}")
        return int(text)

    def url(self, path: str, **params: object) -> str:
        """An address in the same session."""
        named = {"session": self.session, **params}
        query = urlencode({k: v for k, v in named.items() if v not in (None, "")})
        return f"{path}?{query}" if query else path

    def again(self, **params: object) -> str:
        """This address with other parameters; None drops one."""
        return self.url(self.path, **{**self.args, **params})


@dataclass(frozen=True)
class Page:
    """A page: the context of its template, and what its `.json` holds."""

    context: Mapping[str, Any]
    json: object = field(default=None)


def overview(store: Store, ask: Ask, reader: Reader) -> Page:
    """Big numbers, what happened, the staircase, the running step, the last rounds, the members."""
    session = sessions.find(store, ask.session)
    name, seq = session["name"], watch.changed(store)
    found = reader.once(("watch", name, seq), lambda: watch.read(store, name, reader.once))
    paid = reader.once(("costs", name, seq), lambda: costs.read(store, name, reader.once))
    said = night.told(found.status, paid, night.proposals(store, session["id"]))
    context = {
        "status": found.status,
        "costs": paid,
        "book": found.status.booked,
        "said": said,
        "chart": stairs(reader, found.staircase, ask),
        "last": rounds.read(store, rounds.Asked(), name).lines[:LAST],
        "seats": found.seats,
    }
    told = {"sentences": said, "status": found.status.as_json(), "costs": paid.as_json()}
    return Page(context, {**told, "staircase": found.staircase.as_json(), "members": [vars(s) for s in found.seats]})


def stairs(reader: Reader, found: staircase.Staircase, ask: Ask) -> str:
    """The staircase with a link behind each run, drawn anew only when it changed; nothing before the first booking."""
    if not found.bookings:
        return ""
    key = ("stairs", found.session, ask.session, len(found.runs), found.runs[-1].kind, len(found.bookings))
    return reader.once(key, lambda: charts.staircase(found, lambda n: ask.url(f"/round/{n}"), width=1140, height=310))


def rounds_page(store: Store, ask: Ask, reader: Reader) -> Page:
    """The list of rounds; everything that was asked stands in the address."""
    asked = rounds.Asked(
        verdict=ask.args.get("verdict", ""),
        member=ask.args.get("member", ""),
        text=ask.args.get("q", "")[:200],
        sort=ask.args.get("sort", "round"),
        down=ask.args.get("dir", "down") != "up",
        page=max(1, ask.number("page", 1)),
    )
    found = rounds.read(store, asked, ask.session)
    return Page({"asked": asked, "found": found, "verdicts": rounds.VERDICTS}, found.as_json())


def round_page(store: Store, ask: Ask, reader: Reader) -> Page:
    """One round in full."""
    number = round_view.number(store, ask.args.get("round", "last"), ask.session)
    found = round_view.read(store, number, ask.session)
    threads, scores = debate.threads(store, number, ask.session), debate.settled(store, number, ask.session)
    last = sessions.last_round(store, sessions.find(store, ask.session)["id"]) or 0
    made = calls.read(store, number, ask.session)
    ran = next((p for p in reversed(found.proposals) if p.run is not None), found.proposal(found.pick))
    context = {
        "round": found,
        "sign": sentences.sign(found),
        "said": sentences.verdict(found),
        "matrix": matrix(found),
        "threads": [t for t in threads if len(t.entries) > 1],
        "scores": scores,
        "calls": made,
        "logs": {log.number: log for log in calls.logs(store, number, ask.session)},
        "ran": ran,
        "before": number - 1 if number else None,
        "after": number + 1 if number < last else None,
    }
    return Page(context, {**found.as_json(), **debate.as_json(threads, scores)})


def matrix(found: Round) -> dict[str, Any]:
    """The ballots as a table: a row per judge; per letter its place, its forecast and where it was shown."""
    labels = [p.label for p in found.proposals if any(p.label in (*b.shown, *b.recused) for b in found.ballots)]
    rows = []
    for ballot in found.ballots:
        cells = []
        for label in labels:
            ranked = ballot.ranking is not None and label in ballot.ranking
            cells.append(
                {
                    "own": label in ballot.recused,
                    "place": ballot.ranking.index(label) + 1 if ranked and ballot.ranking else None,
                    "shown": ballot.shown.index(label) + 1 if label in ballot.shown else None,
                    "p": ballot.forecasts.get(label),
                }
            )
        rows.append({"judge": ballot.member, "cells": cells, "none": ballot.ranking is None})
    return {"labels": labels, "rows": rows}


def members_page(store: Store, ask: Ask, reader: Reader) -> Page:
    """The leaderboard of one session, or of all that compare."""
    pooled = ask.args.get("pool") == "all"
    name = None if pooled else sessions.find(store, ask.session)["name"]
    found = leaderboard.read(store, name, reader.once)
    judges = [m for m in face.ordered(found, "judge") if m.judge_weight is not None or m.settled]
    context = {
        "board": found,
        "pooled": pooled,
        "proposers": [m for m in face.ordered(found, "proposer") if m.proposals or not m.absent],
        "judges": judges,
        "payers": [m for m in face.ordered(found, "cost") if m.proposals or not m.absent],
        "absent": [m for m in found.members if m.absent],
        "skills": Scale.over((m.skill_low, m.skill_high) for m in found.members),
        "weights": Scale.over((m.judge_low, m.judge_high) for m in judges),
        "separation": face.separation(found),
        "helping": face.helping(found),
    }
    return Page(context, found.as_json())


@dataclass(frozen=True)
class Scale:
    """From a number to its place on a bar of 120 units, the same for all rows of a table."""

    low: float
    high: float

    @classmethod
    def over(cls, spans: Iterable[tuple[float | None, float | None]]) -> Scale:
        """A scale that holds 0 and all intervals."""
        ends = [0.0, *(end for span in spans for end in span if end is not None)]
        return cls(min(ends), max(ends))

    def at(self, value: float) -> float:
        """The place, a little inside the bar's ends."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return round(4 + 112 * share, 1)


def live_page(store: Store, ask: Ask, reader: Reader) -> Page:
    """A few words for pages that follow a running session: has anything changed, and what is going on."""
    session = sessions.find(store, ask.session)
    now = reader.now() if session["name"] == status.newest(store) else None
    found = {"seq": watch.changed(store), "session": session["name"], "running": now is not None, "now": now_text(now)}
    return Page({}, found)


def now_text(now: dict[str, Any] | None) -> str:
    """What the live file says, in one line."""
    from council.ui.plain import from_live

    return from_live(now) if now else ""
