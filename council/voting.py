"""The steps that vote: rank and tally. Each judge ranks a slate of its own; a rule makes ballots a pick.

A ballot that cannot be counted goes back to its judge once; forecasts that still rise down the ranking are mended by
the isotonic fit and the stated ones kept; anything else is an abstention, recorded as an outcome.
"""

from __future__ import annotations

from council import judge, records
from council.brief import brief
from council.errors import BadReply
from council.judge import ballots
from council.proposing import slate_for
from council.room import Room
from council.store import Row, now
from council.types import Ballot, Slate

FORECAST = "forecast"
"""The rule that learns from settled forecasts; the others count rankings alone."""


async def rank_turn(room: Room, round_: int, name: str) -> None:
    """Show one judge its slate and record its ballot and forecasts."""
    if room.store.one("slates", session=room.sid, round=round_, step="rank", judge=name):
        return
    standing = records.standing(room.store, room.sid, round_)
    slate, row = slate_for(room, round_, "rank", name, standing)
    ballot: Ballot | None = None
    outcome: Row | None = None
    if slate.entries:
        turn = room.turn(round_, "rank", name)
        ballot, outcome = await room.ask(turn, lambda: _ballot(room, round_, name, slate), lambda cast: cast)
    with room.store.atomic():
        slate_id = room.store.insert("slates", row)
        if outcome:
            room.store.insert("outcomes", outcome)
        for p in row["recused"]:
            _forecast(room, round_, name, p, standing[p]["forecast"], own=True)
        if ballot:
            _record(room, round_, name, slate_id, row, ballot)


async def _ballot(room: Room, round_: int, name: str, slate: Slate) -> Ballot | None:
    """A ballot, asked for at most twice, whose forecasts may still rise; raises BadReply if neither can be counted.

    One whose forecasts rise stands if nothing better follows: it was given, and can be mended.
    """
    labels, complaint = [e.label for e in slate.entries], ""
    rising: Ballot | None = None
    for attempt in (1, 2):
        turn = room.turn(round_, "rank", name, attempt, complaint)
        try:
            answer = await room.members[name].rank(brief(room, round_, name), slate, turn)
        except BadReply:
            if rising is None:
                raise
            break
        if answer is None:
            return rising
        found, complaint = _read(answer, labels)
        complaint = ballots.rises(found) if found else complaint
        if not complaint:
            return found
        rising = found or rising
    if rising is None:
        raise BadReply(f"the ballot cannot be counted: {complaint}")
    return rising


def _read(answer: object, labels: list[str]) -> tuple[Ballot | None, str]:
    """(the ballot, '') or (None, why it cannot be counted)."""
    try:
        found = Ballot(tuple(answer.ranking), dict(answer.forecasts))  # type: ignore[attr-defined]
        fault = ballots.fault(found, labels)
    except (AttributeError, TypeError, ValueError) as error:
        fault = f"it is no ballot: {error}"
    return (None, fault) if fault else (found, "")


def _record(room: Room, round_: int, name: str, slate_id: int, slate: Row, stated: Ballot) -> None:
    counted = ballots.mend(stated) if ballots.rises(stated) else stated
    room.store.insert(
        "ballots",
        {
            "session": room.sid,
            "round": round_,
            "judge": name,
            "slate": slate_id,
            "at": now(),
            "ranking": list(counted.ranking),
            "stated": {k: float(p) for k, p in stated.forecasts.items()},
            "mended": counted is not stated,
        },
    )
    for label, p in slate["shown"]:
        _forecast(room, round_, name, p, counted.forecasts[label], own=False)


def _forecast(room: Room, round_: int, name: str, proposal: int, p: float, own: bool) -> None:
    row = {"session": room.sid, "round": round_, "judge": name, "proposal": proposal, "p": float(p), "own": own}
    room.store.insert("forecasts", row)


def tally_round(room: Room, round_: int) -> None:
    """Turn the ballots of a round into scores, a ranking and a pick; no valid proposal, no tally."""
    if room.store.one("tallies", session=room.sid, round=round_):
        return
    standing = records.standing(room.store, room.sid, round_)
    if not standing:
        room.say("step", "no valid proposal; the incumbent will run again", round=round_, step="tally")
        return
    # The verdict needs what the forecasts say of each proposal, whichever rule picks.
    beliefs = room.learner.scored(round_, {p: row["member"] for p, row in standing.items()}).scores
    scores = count(
        room.rule,
        room.store.rows("slates", session=room.sid, round=round_, step="rank"),
        room.store.rows("ballots", session=room.sid, round=round_),
        beliefs,
    )
    ranking = judge.order(scores, lambda p: room.hash_for(round_, p))
    with room.store.atomic():
        room.store.insert(
            "tallies",
            {
                "session": room.sid,
                "round": round_,
                "at": now(),
                "rule": room.rule,
                "scores": {str(p): s for p, s in scores.items()},
                "ranking": list(ranking),
                "pick": ranking[0],
                "beliefs": {str(p): s for p, s in beliefs.items()},
            },
        )
    pick = standing[ranking[0]]
    room.say("step", f"the council picks {pick['title']} ({pick['member']})", round=round_, step="tally")


def count(rule: str, slates: list[Row], found: list[Row], beliefs: dict[int, float]) -> dict[int, float]:
    """Score per standing proposal: what the forecasts say, or a voting rule over the rows of slates and ballots."""
    if rule == FORECAST:
        return beliefs
    shown = {s["judge"]: dict(s["shown"]) for s in slates}
    cast = {b["judge"]: Ballot(tuple(b["ranking"]), b["stated"]) for b in found}
    return judge.scores(judge.rule(rule), shown, cast, beliefs)
