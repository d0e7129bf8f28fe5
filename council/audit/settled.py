"""Settlements: every forecast of what was measured, scored by its outcome; and each member's reputation after it.

Skill and judge weight are computed anew from all forecasts and settled verdicts of the session up to that experiment.
"""

from __future__ import annotations

import math
from collections import defaultdict

from council.audit.findings import Findings, same
from council.judge import reputation
from council.learned import Learner
from council.store import Row, Store

VERDICTS = """
SELECT v.*, e.proposal, p.step, p.replaces FROM verdicts v
JOIN experiments e ON e.session = v.session AND e.number = v.number
LEFT JOIN proposals p ON p.id = e.proposal
WHERE v.session = ? ORDER BY v.number
"""


def check(store: Store, session: Row, learner: Learner, found: Findings) -> None:
    """Check the settlements and standings of a session."""
    rows = list(store.query(VERDICTS, session["id"]))
    last = next(store.query("SELECT max(round) AS n FROM rounds WHERE session = ?", session["id"]))["n"] or 0
    end = store.one("session_ends", order="id DESC", session=session["id"])
    done = max(last - 1, end["rounds"] if end and end["exit_code"] == 0 else 0)
    judged = {row["number"] for row in rows if row["settles"]}
    for row in store.query("SELECT DISTINCT number FROM settlements WHERE session = ?", session["id"]):
        if row["number"] not in judged:
            found.add("settlement", f"{session['name']} x{row['number']}", "its verdict settles nothing")
    briers: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row["settles"]:
            where = f"{session['name']} x{row['number']}"
            with found.reading(where):
                _settled(store, session, row, where, briers, row["round"] <= done, found)
            with found.reading(where):
                _learnt(store, session, row, where, learner, found)


def _settled(
    store: Store, session: Row, row: Row, where: str, briers: dict[str, list[float]], due: bool, found: Findings
) -> None:
    key = {"session": session["id"], "number": row["number"]}
    stored = {r["judge"]: r for r in store.rows("settlements", **key)}
    standing = {r["member"]: r for r in store.rows("reputation", **key)}
    if not stored and not standing and not due:
        return  # a killed round is settled when it goes on
    voted = row["replaces"] if row["step"] == "late_repair" else row["proposal"]
    hit = int((row["delta"] or 0) > 0)
    r = -2.0 if row["delta"] is None else min(max(row["sigmas"], -2.0), 3.0)
    cast = store.rows("forecasts", session=session["id"], round=row["round"], proposal=voted)
    forecasts = {f["judge"]: f for f in cast}
    for name in sorted({*stored, *forecasts}, key=str):
        if name not in stored or name not in forecasts:
            told = "a settlement without its forecast" if name in stored else "a forecast that was not settled"
            found.add("settlement", where, f"{name}: {told}")
            continue
        forecast = forecasts[name]
        computed = {
            "round": row["round"],
            "proposal": row["proposal"],
            "p": forecast["p"],
            "own": forecast["own"],
            "outcome": hit,
            "brier": (forecast["p"] - hit) ** 2,
            "r": r,
        }
        found.compare("settlement", where, stored[name], computed)
        briers[name].append(computed["brier"])
    found.unless(bool(standing), "reputation", where, "no member's standing was recorded after it")
    for name, after in standing.items():
        scores = briers.get(name, [])
        brier = sum(scores) / len(scores) if scores else None
        if after["settled"] != len(scores) or not same(_rounded(after["brier"]), _rounded(brier)):
            told = f"{after['settled']} settled, Brier {after['brier']}"
            found.add("reputation", where, f"{name}: stored {told}, computed {len(scores)}, {brier}")


def _learnt(store: Store, session: Row, row: Row, where: str, learner: Learner, found: Findings) -> None:
    """Skill and weight of every member after an experiment are what the regression gives."""
    stored = store.rows("reputation", session=session["id"], number=row["number"])
    if not stored:
        return
    state = learner.after(row["round"], row["number"]).state
    skills = {s.member: s.skill for s in reputation.proposers(state, seed=0, draws=1)}
    weights = reputation.judges(state).weights
    for after in stored:
        computed: dict[str, object] = {"round": row["round"]}
        for name, known in (("skill", skills), ("weight", weights)):
            said = known.get(after["member"])
            computed[name] = said and said.value
            computed[f"{name}_sd"] = said and (said.high - said.value) / reputation.Z90
        wrong = [k for k, v in computed.items() if not _near(after[k], v)]
        found.compare("reputation", f"{where}, {after['member']}", after, {k: computed[k] for k in wrong})


def _near(stored: float | None, computed: object) -> bool:
    """Equal to nine digits: another machine's linear algebra may add in another order."""
    if stored is None or not isinstance(computed, int | float):
        return stored == computed
    return math.isclose(stored, computed, rel_tol=1e-9, abs_tol=1e-12)


def _rounded(value: float | None) -> float | None:
    """A mean to nine digits: SQLite adds in another order."""
    return None if value is None else round(value, 9)
