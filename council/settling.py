"""The steps after a measurement: verdict, keep, settle.

A verdict and the book after it are written in one transaction, going back to the baseline included. Replicates move the
book without a verdict. Settling scores every forecast made of the proposal, not only its author.
"""

from __future__ import annotations

import math

from council import records
from council.judge import book as books
from council.judge import reputation
from council.judge.forecast import outcome
from council.room import Room
from council.running import runs
from council.store import Row, now
from council.types import Book, Kind, Role, Verdict

FAILED = {"crash": Kind.CRASH, "timeout": Kind.CRASH, "oom": Kind.CRASH, "rejected": Kind.REJECTED, "void": Kind.VOID}
TRIALS = (Role.TRIAL, Role.REPAIR, Role.RUNNER_UP)


def comparable(room: Room, row: Row, since: int) -> str:
    """Why a measurement cannot be compared with the baseline booked at `since`, or ''."""
    first = room.store.one("measurements", session=room.sid, number=since)
    if first is None:
        return ""
    if first["fingerprint"] != row["fingerprint"]:
        return "the data or the tokenizer differ from the baseline's"
    old, new = first["conditions"], row["conditions"]
    changed = [f"{k} was {old.get(k)}, is {new.get(k)}" for k in sorted({*old, *new}) if old.get(k) != new.get(k)]
    return f"the conditions differ from the baseline's: {'; '.join(changed)}" if changed else ""


def verdict_round(room: Room, round_: int) -> None:
    """Judge every measured experiment of the round that has not been judged."""
    done = runs(room, round_)
    for row in done:
        if row["status"] is None:
            continue
        if row["role"] in TRIALS and row["kind"] is None:
            _judge(room, row, repaired=any(r["role"] == Role.REPAIR and r["number"] > row["number"] for r in done))
        elif row["role"] == Role.REPLICATE and row["status"] == "ok":
            _replicate(room, row)


def _judge(room: Room, row: Row, repaired: bool) -> None:
    found = records.book(room.store, room.sid)
    assert found is not None, "round 0 books the baseline"
    book, at = found
    gone = ""
    odd = comparable(room, row, at["since"]) if row["status"] == "ok" else ""
    if row["status"] != "ok" or odd:
        kind = Kind.VOID if odd else FAILED.get(row["status"], Kind.VOID)
        reason = odd or row["reason"] or row["status"]
        verdict = Verdict(kind, reason, booked_before=book.b, inputs={"b": book.b, "v": book.v})
        settles = kind is not Kind.VOID and not repaired
        if repaired:
            verdict = Verdict(kind, f"{reason}; its author repaired it", booked_before=book.b, inputs=verdict.inputs)
        with room.store.atomic():
            room.store.insert("verdicts", _verdict_row(room, row, verdict, settles))
    else:
        # a trial that was killed and runs again may be older than a baseline that was measured in between
        sigma2 = records.variance(room.store, room.sid, at["since"], max(row["number"], at["number"]))
        judged = books.trial(book, sigma2, row["val_bpb"], _score(room, row), row["commit"], room.p_keep)
        verdict = judged.verdict
        with room.store.atomic():
            room.store.insert("verdicts", _verdict_row(room, row, verdict, True))
            gone = write_book(room, row, "trial", judged.book, sigma2, at["since"])
    room.say(
        "verdict",
        f"x{row['number']} {verdict.kind.value}: {verdict.reason}",
        round=row["round"],
        step="verdict",
        data={"kind": verdict.kind.value, "bpb": verdict.bpb, "delta": verdict.delta, "sigmas": verdict.sigmas},
    )
    _say_back(room, row["round"], gone)


def _score(room: Room, row: Row) -> float | None:
    """What the council expected of a trial, in σ, when it voted."""
    tally = room.store.one("tallies", session=room.sid, round=row["round"])
    found = (tally or {}).get("beliefs") or {}
    score = found.get(str(_voted(room, row["proposal"])))
    return None if score is None else float(score)


def _replicate(room: Room, row: Row) -> None:
    if room.store.one("books", session=room.sid, number=row["number"], cause="replicate"):
        return
    found = records.book(room.store, room.sid)
    assert found is not None, "round 0 books the baseline"
    book, at = found
    if comparable(room, row, at["since"]):
        return
    sigma2 = records.variance(room.store, room.sid, at["since"], row["number"])
    after = books.replicate(book, sigma2, row["val_bpb"], baseline_runs(room, book, at, row["number"]))
    with room.store.atomic():
        gone = write_book(room, row, "replicate", after, sigma2, at["since"])
    room.say(
        "verdict",
        f"x{row['number']} replicate: the book moves from {book.b:.5f} to {after.b:.5f}",
        round=row["round"],
        step="verdict",
        data={"kind": "replicate", "bpb": row["val_bpb"]},
    )
    _say_back(room, row["round"], gone)


def baseline_runs(room: Room, book: Book, at: Row, until: int) -> list[float]:
    """All measured runs of the baseline if it is the incumbent, else none."""
    if book.commit != room.baseline:
        return []
    found = records.measured(room.store, room.sid, records.NOISE_ROLES, at["since"], until)
    return [r["val_bpb"] for r in found if r["code"] == at["code"] and r["split"] == "validation"]


def write_book(room: Room, row: Row, cause: str, book: Book, sigma2: float, since: int) -> str:
    """Record the book after an experiment, and going back where it is no better than the baseline.

    Returns what to say of going back, or ''.
    """
    _book_row(room, row, cause, book, sigma2, since)
    returned = books.back(book, room.baseline)
    if returned is None:
        return ""
    _book_row(room, row, "back", returned, sigma2, since)
    return f"back to the baseline: {book.b:.5f} was booked, no better than the baseline's {book.b_base:.5f}"


def _say_back(room: Room, round_: int, text: str) -> None:
    if text:
        room.say("verdict", text, round=round_, step="verdict", data={"kind": "back"})


def _book_row(room: Room, row: Row, cause: str, book: Book, sigma2: float, since: int) -> None:
    code = room.store.one("books", order="id DESC", session=room.sid, commit=book.commit)
    room.store.insert(
        "books",
        {
            "session": room.sid,
            "round": row["round"],
            "number": row["number"],
            "at": now(),
            "cause": cause,
            "commit": book.commit,
            "code": code["code"] if code else row["code"],
            "b": book.b,
            "v": book.v,
            "b_base": book.b_base,
            "v_base": book.v_base,
            "sigma": math.sqrt(sigma2),
            "since": since,
        },
    )


def _verdict_row(room: Room, row: Row, verdict: Verdict, settles: bool) -> Row:
    return {
        "session": room.sid,
        "round": row["round"],
        "number": row["number"],
        "at": now(),
        "kind": verdict.kind.value,
        "reason": verdict.reason,
        "bpb": verdict.bpb,
        "booked_before": verdict.booked_before,
        "delta": verdict.delta,
        "sigmas": verdict.sigmas,
        "score": verdict.inputs.get("score"),
        "expected": verdict.expected,
        "belief": verdict.belief,
        "inputs": dict(verdict.inputs),
        "settles": settles,
    }


def keep_round(room: Room, round_: int) -> None:
    """Let the session's branch follow the book: forward to a kept edit, or back to the baseline."""
    found = records.book(room.store, room.sid)
    assert found is not None, "round 0 books the baseline"
    room.repo.set_ref(f"refs/heads/council/{room.name}", found[0].commit)


def settle_round(room: Room, round_: int) -> None:
    """Score every forecast of what was measured, and each member's standing after it."""
    for row in runs(room, round_):
        # without one forecast there is no settlement, but there always is a standing
        if not row["settles"] or room.store.one("reputation", session=room.sid, number=row["number"]):
            continue
        verdict = room.store.one("verdicts", session=room.sid, number=row["number"])
        assert verdict is not None, "a settled run has a verdict"
        hit = int((verdict["delta"] or 0) > 0)
        r = outcome(verdict["sigmas"])
        with room.store.atomic():
            for forecast in room.store.rows("forecasts", proposal=_voted(room, row["proposal"])):
                room.store.insert(
                    "settlements",
                    {
                        "session": room.sid,
                        "round": round_,
                        "number": row["number"],
                        "proposal": row["proposal"],
                        "judge": forecast["judge"],
                        "p": forecast["p"],
                        "own": forecast["own"],
                        "outcome": hit,
                        "brier": (forecast["p"] - hit) ** 2,
                        "r": r,
                    },
                )
            _reputation(room, round_, row["number"])


def _voted(room: Room, proposal: int) -> int:
    """The proposal that was voted on: a late repair was not, what it replaces was."""
    row = room.store.get("proposals", proposal)
    return int(row["replaces"]) if row["step"] == "late_repair" else proposal


def _reputation(room: Room, round_: int, number: int) -> None:
    sql = "SELECT judge, count(*) AS settled, avg(brier) AS brier FROM settlements WHERE session = ? GROUP BY judge"
    found = {row["judge"]: row for row in room.store.query(sql, room.sid)}
    state = room.learner.after(round_, number).state
    skills = {s.member: s.skill for s in reputation.proposers(state, seed=0, draws=1)}
    weights = reputation.judges(state).weights
    for name in sorted(room.members):
        skill, weight = skills.get(name), weights.get(name)
        known = found.get(name, {"settled": 0, "brier": None})
        room.store.insert(
            "reputation",
            {
                "session": room.sid,
                "round": round_,
                "number": number,
                "member": name,
                "settled": known["settled"],
                "brier": known["brier"],
                "skill": skill and skill.value,
                "skill_sd": skill and (skill.high - skill.value) / reputation.Z90,
                "weight": weight and weight.value,
                "weight_sd": weight and (weight.high - weight.value) / reputation.Z90,
            },
        )
