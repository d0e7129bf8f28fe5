"""Votes: slates from the seed, forecasts from ballots, tallies from slates and ballots, the pick from the tally.

A judge that never saw its own proposal, in an order nobody could choose, and a count that anyone can repeat: that is
what these checks say of every round.
"""

from __future__ import annotations

from typing import Any

from council import judge, records
from council.audit.edits import seed_of
from council.audit.findings import Findings, same, setting
from council.judge import ballots
from council.judge.slates import draw
from council.learned import Learner
from council.store import Row, Store, digest
from council.types import Ballot, Role
from council.voting import count


def check(store: Store, session: Row, learner: Learner, found: Findings) -> None:
    """Check the votes of every round of a session."""
    voters = {m["name"] for m in store.query("SELECT name FROM members WHERE session = ? AND votes", session["id"])}
    rounds = list(store.query("SELECT * FROM rounds WHERE session = ? ORDER BY round", session["id"]))
    for number, opened in enumerate(rounds, 1):
        where = f"{session['name']} round {opened['round']}"
        with found.reading(where):
            found.unless(opened["round"] == number, "round", where, f"it is round {number} of its session")
            _opened(store, session, opened, where, found)
        with found.reading(where):
            _round(store, session, opened["round"], voters, learner, where, found)


def _opened(store: Store, session: Row, opened: Row, where: str, found: Findings) -> None:
    """A round starts from the book of its moment."""
    book = store.one("books", id=opened["book"], session=session["id"])
    if book is None or book["commit"] != opened["parent"]:
        told = book["commit"] if book else "nothing"
        found.add("round", where, f"it stands on {opened['parent']}, the book on {told}")


def _round(
    store: Store, session: Row, number: int, voters: set[str], learner: Learner, where: str, found: Findings
) -> None:
    key = {"session": session["id"], "round": number}
    standing = records.standing(store, session["id"], number)
    slates = store.rows("slates", **key)
    for slate in slates:
        with found.reading(f"{where}, slate of {slate['judge']}"):
            _slate(session, slate, standing, voters, f"{where}, slate of {slate['judge']}", found)
    shown = {s["judge"]: s for s in slates if s["step"] == "rank"}
    cast = {b["judge"]: b for b in store.rows("ballots", **key)}
    _forecasts(store, key, shown, cast, standing, where, found)
    ran = store.rows("experiments", order="number", **key)
    tally = store.one("tallies", **key)
    if tally is None:
        late = bool(ran) and bool(standing)
        found.unless(not late, "tally", where, "it has valid proposals and an experiment, and no tally")
        picked = None
    else:
        beliefs = learner.scored(number, {p: row["member"] for p, row in standing.items()}).scores
        _tally(session, tally, [s for s in slates if s["step"] == "rank"], list(cast.values()), beliefs, where, found)
        picked = tally["pick"]
    for row in ran:
        _ran(store, row, picked, f"{session['name']} x{row['number']}", found)


def _slate(session: Row, slate: Row, standing: dict[int, Row], voters: set[str], where: str, found: Findings) -> None:
    """What a judge saw is what its seed draws, its own left out."""
    if slate["step"] == "rank" and slate["judge"] not in voters:
        found.add("slate", where, "it belongs to a member that does not vote")
    seed = seed_of(session, slate["round"], slate["step"], slate["judge"])
    authors = {p: row["member"] for p, row in standing.items()}
    fields = [authors]
    if slate["step"] == "debate":  # shown before authors answered, or after when a killed round goes on
        first = {p: r for p, r in standing.items() if r["step"] != "debate"}
        first |= {r["replaces"]: r for r in standing.values() if r["step"] == "debate" and r["replaces"]}
        fields.append({p: r["member"] for p, r in first.items()})
    drawn = [draw(slate["judge"], field, seed) for field in fields]
    stated = [[list(pair) for pair in slate["shown"]], slate["recused"]]
    if not any(stated == [[list(pair) for pair in d.shown], list(d.recused)] for d in drawn):
        found.add("slate", where, f"it is not the one its seed draws: shown {slate['shown']}")


def _forecasts(
    store: Store,
    key: dict[str, Any],
    slates: dict[str, Row],
    cast: dict[str, Row],
    standing: dict[int, Row],
    where: str,
    found: Findings,
) -> None:
    """Each forecast is the one of a ballot, mended where it rose, or the author's own."""
    expected: dict[tuple[str, int], tuple[float, int]] = {}
    for name, slate in slates.items():
        for p in slate["recused"]:
            if p in standing:
                expected[name, p] = (standing[p]["forecast"], 1)
    for name, ballot in cast.items():
        at = f"{where}, ballot of {name}"
        with found.reading(at):
            seen = slates.get(name)
            if seen is None or ballot["slate"] != seen["id"]:
                found.add("ballot", at, "it has no slate")
                continue
            labels = [label for label, _ in seen["shown"]]
            stated = Ballot(tuple(ballot["ranking"]), ballot["stated"])
            if fault := ballots.fault(stated, labels):
                found.add("ballot", at, fault)
                continue
            rises = bool(ballots.rises(stated))
            found.unless(rises == bool(ballot["mended"]), "ballot", at, f"mended is {ballot['mended']}")
            counted = ballots.mend(stated) if rises else stated
            expected |= {(name, p): (counted.forecasts[label], 0) for label, p in seen["shown"]}
    stored = {(r["judge"], r["proposal"]): (r["p"], r["own"]) for r in store.rows("forecasts", **key)}
    for name, p in sorted({*stored, *expected}, key=str):
        told, made = stored.get((name, p)), expected.get((name, p))
        if not same(told, made):
            found.add("forecast", where, f"{name} of proposal {p}: stored {told}, by the ballots {made}")


def _tally(
    session: Row,
    tally: Row,
    slates: list[Row],
    cast: list[Row],
    beliefs: dict[int, float],
    where: str,
    found: Findings,
) -> None:
    """The rule counted anew, and what the forecasts say of each proposal, which the verdict needs under any rule."""
    chosen = setting(session, "rule")
    if chosen is not None and tally["rule"] != chosen:
        found.add("tally", where, f"it was counted by {tally['rule']}, the session's rule is {chosen}")
    scores = _counted(tally, slates, cast, beliefs, where, found)
    ranking = list(judge.order(scores, lambda p: digest([session["seed"], tally["round"], p])))
    computed: dict[str, object] = {
        "scores": {str(p): score for p, score in scores.items()},
        "ranking": ranking,
        "pick": ranking[0] if ranking else None,
        "beliefs": {str(p): score for p, score in beliefs.items()},
    }
    found.compare("tally", where, tally, computed)


def _counted(
    tally: Row, slates: list[Row], cast: list[Row], beliefs: dict[int, float], where: str, found: Findings
) -> dict[int, float]:
    """The scores counted anew; those recorded where that would run code which the database names by its place."""
    if ":" in tally["rule"]:  # whoever wrote the database could name any code on this machine
        said = f"it was counted by the code at {tally['rule']}; an audit runs only rules installed under a name"
        found.add("tally", where, said)
        return {int(p): score for p, score in tally["scores"].items()}
    seen = {s["judge"] for s in slates}
    return count(tally["rule"], slates, [b for b in cast if b["judge"] in seen], beliefs)


def _ran(store: Store, row: Row, picked: int | None, where: str, found: Findings) -> None:
    """A trial is the pick; a repair mends it."""
    if row["role"] == Role.TRIAL and row["proposal"] != picked:
        found.add("tally", where, f"it ran proposal {row['proposal']}, the council picked {picked}")
    if row["role"] == Role.REPAIR:
        mended = store.one("proposals", id=row["proposal"])
        if mended is None or mended["step"] != "late_repair" or mended["replaces"] != picked:
            found.add("tally", where, f"it ran proposal {row['proposal']}, which mends no pick")
