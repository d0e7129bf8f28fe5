"""One round as every face shows it: proposals, ballots, experiments, the verdict and what it did to the book.

`read` asks each table once. `Round.as_json` is what `council show N --json` prints. How to extend: a key that is null
today (critiques, reputation) fills by itself once its table has rows; a new one is a field and a line in `as_json`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from council.errors import UsageError
from council.views import sessions
from council.views.ballots import Ballot
from council.views.ballots import read as read_ballots
from council.views.labels import Labels, assign
from council.views.sessions import Row

if TYPE_CHECKING:
    from council.store import Store

DECIDING = ("trial", "repair")
"""Roles whose verdict is the round's: the pick's trial, or the repair that took its slot."""

_CHECK = ("step", "attempt", "valid", "reason", "seconds")
_OUTCOME = ("member", "step", "attempt", "kind", "detail")
_CALL = ("member", "step", "attempt", "turn", "provider", "model", "status")
_PAID = ("tokens_in", "tokens_cached", "tokens_out", "cost_usd", "seconds")
_MEASURED = (
    "status",
    "val_bpb",
    "reason",
    "s0",
    "sandbox",
    "train_seconds",
    "total_seconds",
    "fingerprint",
    "conditions",
)


@dataclass(frozen=True)
class Proposal:
    """The version of a proposal that counts: the last valid one, or the last. `run` is the experiment that ran it."""

    label: str
    member: str
    title: str
    hypothesis: str
    family: str
    diff: str | None
    state: str
    reason: str
    forecast: float
    score: float | None
    rank: int | None
    run: int | None


@dataclass(frozen=True)
class Experiment:
    """One run of the round; `measurement` is None while it runs, `label` says whose proposal it ran."""

    number: int
    role: str
    commit: str
    label: str | None
    verdict: str | None
    measurement: Row | None


@dataclass(frozen=True)
class Round:
    """Everything about one round. The verdict's numbers are None when no trial was decided."""

    round: int
    session: str
    verdict: str | None
    reason: str
    bpb: float | None
    booked_before: float | None
    delta: float | None
    sigmas: float | None
    belief: float | None
    pick: str | None
    rule: str | None
    booked_after: float | None
    booked_after_sd: float | None
    sigma: float | None
    back: bool
    proposals: tuple[Proposal, ...]
    ballots: tuple[Ballot, ...]
    experiments: tuple[Experiment, ...]
    checks: tuple[Row, ...]
    outcomes: tuple[Row, ...]
    calls: tuple[Row, ...]
    critiques: tuple[Row, ...] = ()
    reputation: tuple[Row, ...] = field(default=())

    def proposal(self, label: str | None) -> Proposal | None:
        """The proposal behind a letter."""
        return next((p for p in self.proposals if p.label == label), None)

    def as_json(self) -> dict[str, object]:
        """The object of `council show N --json`."""
        first = ("round", "session", "verdict", "bpb", "booked_before", "delta", "sigmas", "belief")
        proposal = ("label", "member", "title", "family", "diff", "state", "score", "rank", "run")
        experiment = ("number", "role", "commit", "verdict", "measurement")
        return {
            **{key: getattr(self, key) for key in first},
            "proposals": [{key: getattr(p, key) for key in proposal} for p in self.proposals],
            "ballots": [asdict(b) for b in self.ballots],
            "experiments": [{key: getattr(e, key) for key in experiment} for e in self.experiments],
            "critiques": list(self.critiques) or None,
            "checks": list(self.checks),
            "outcomes": list(self.outcomes),
            "calls": list(self.calls),
            "reputation": list(self.reputation) or None,
        }


def number(store: Store, text: str, name: str | None = None) -> int:
    """What `17`, `last` or `best` means in a session. Raises UsageError that names what exists."""
    session = sessions.find(store, name)
    last = sessions.last_round(store, session["id"])
    if last is None:
        raise UsageError(f"session {session['name']} has no round yet", hint="See `council status`.")
    if text == "last":
        return int(last)
    if text == "best":
        book = store.one("books", order="id DESC", session=session["id"])
        kept = book and store.one("experiments", session=session["id"], commit=book["commit"])
        return int(kept["round"]) if kept else 0
    if text.isascii() and text.isdigit() and int(text[:9]) <= last:
        return int(text)
    span = "round 0 only" if last == 0 else f"rounds 0 to {last}"
    raise UsageError(
        f"there is no round {text[:40]!r}", hint=f"Session {session['name']} has {span}; `last` and `best` work too."
    )


def read(store: Store, number_: int, name: str | None = None) -> Round:
    """One round of the named session, or of the last one."""
    session = sessions.find(store, name)
    key = {"session": session["id"], "round": number_}
    labels = assign(store.rows("proposals", **key))
    checks = store.rows("checks", **key)
    tally = store.one("tallies", **key)
    verdicts = {row["number"]: row for row in store.rows("verdicts", order="number", **key)}
    experiments = _experiments(store, key, labels, verdicts)
    books = store.rows("books", **key)
    deciding = [verdicts[e.number] for e in experiments if e.role in DECIDING and e.number in verdicts]
    verdict: Row = next((v for v in reversed(deciding) if v["settles"]), deciding[-1] if deciding else {})
    return Round(
        round=number_,
        session=session["name"],
        verdict=verdict.get("kind"),
        reason=verdict.get("reason", ""),
        **{k: verdict.get(k) for k in ("bpb", "booked_before", "delta", "sigmas", "belief")},
        pick=labels.name(tally["pick"]) if tally else None,
        rule=tally["rule"] if tally else None,
        booked_after=books[-1]["b"] if books else None,
        booked_after_sd=sessions.known(math.sqrt(books[-1]["v"])) if books else None,
        sigma=sessions.known(books[-1]["sigma"]) if books else None,
        back=any(row["cause"] == "back" for row in books),
        proposals=_proposals(labels, {row["proposal"]: row for row in checks}, tally, experiments),
        ballots=read_ballots(store, key, labels),
        experiments=experiments,
        checks=_checks(labels, checks),
        outcomes=tuple({k: row[k] for k in _OUTCOME} for row in store.rows("outcomes", **key)),
        calls=_calls(store, key),
        critiques=tuple(
            {"member": row["member"], "label": labels.name(row["proposal"]), "text": row["text"]}
            for row in store.rows("critiques", **key)
        ),
        reputation=tuple(
            {k: v for k, v in row.items() if k not in ("id", "session", "round")}
            for row in store.rows("reputation", **key)
        ),
    )


def _proposals(
    labels: Labels, checks: dict[int, Row], tally: Row | None, experiments: tuple[Experiment, ...]
) -> tuple[Proposal, ...]:
    """One entry per letter; the best score first, what was not voted on last."""
    ran = {e.label: e.number for e in experiments if e.label}
    scores = {int(k): v for k, v in (tally["scores"] if tally else {}).items()}
    ranking = labels.names(tally["ranking"]) if tally else []
    found = []
    for label, versions in labels.versions.items():
        checked = [row for row in versions if row["id"] in checks]
        valid = [row for row in checked if checks[row["id"]]["valid"]]
        row = (valid or checked or versions)[-1]
        check = checks.get(row["id"])
        found.append(
            Proposal(
                label=label,
                **{k: row[k] for k in ("member", "title", "hypothesis", "family", "diff", "forecast")},
                state="unchecked" if check is None else "valid" if check["valid"] else "invalid",
                reason="" if check is None else check["reason"],
                score=next((scores[v["id"]] for v in reversed(versions) if v["id"] in scores), None),
                rank=ranking.index(label) + 1 if label in ranking else None,
                run=ran.get(label),
            )
        )
    return tuple(sorted(found, key=lambda p: (p.rank is None, p.rank or 0, p.label)))


def _experiments(store: Store, key: Row, labels: Labels, verdicts: dict[int, Row]) -> tuple[Experiment, ...]:
    rows = store.rows("experiments", order="number", **key)
    span = (rows[0]["number"], rows[-1]["number"]) if rows else (0, -1)
    sql = "SELECT * FROM measurements WHERE session = ? AND number BETWEEN ? AND ?"
    decoded = (store.decode("measurements", row) for row in store.query(sql, key["session"], *span))
    measured = {row["number"]: {k: row[k] for k in _MEASURED} for row in decoded}
    return tuple(
        Experiment(
            number=row["number"],
            role=row["role"],
            commit=row["commit"],
            label=labels.name(row["proposal"]),
            verdict=verdicts.get(row["number"], {}).get("kind"),
            measurement=measured.get(row["number"]),
        )
        for row in rows
    )


def _checks(labels: Labels, checks: list[Row]) -> tuple[Row, ...]:
    versions = {row["id"]: row for rows in labels.versions.values() for row in rows}
    return tuple(
        {
            "label": labels.name(row["proposal"]),
            "member": versions[row["proposal"]]["member"],
            **{k: {**versions[row["proposal"]], **row, "valid": bool(row["valid"])}[k] for k in _CHECK},
        }
        for row in checks
        if row["proposal"] in versions
    )


def _calls(store: Store, key: Row) -> tuple[Row, ...]:
    """Calls with what came back; a call without a reply was lost."""
    columns = ", ".join([*(f"c.{k}" for k in _CALL[:-1]), "r.status", *(f"r.{k}" for k in _PAID)])
    joined = "FROM calls c LEFT JOIN replies r ON r.call = c.id WHERE c.session = ? AND c.[round] = ?"
    sql = f"SELECT {columns} {joined} ORDER BY c.id"
    return tuple({**row, "status": row["status"] or "lost"} for row in store.query(sql, *key.values()))
