"""A session as rows: two rounds with a keep, a crash and its repair, a replicate, going back, hostile text."""

from __future__ import annotations

from pathlib import Path

from council.store import Store

HOSTILE = "\x1b[2J\x1b]0;owned\x07 <b>bold</b> \u202eevil\u202c a\u200bb\x00\x9b31m\nsecond line =cmd()"
SESSION = "2026-11-20"
BASE, KEPT, CRASHED, REPAIRED, AGAIN = ("b" * 40, "c" * 40, "d" * 40, "e" * 40, "f" * 40)
DIFF = "--- a/lab/train.py\n+++ b/lab/train.py\n@@ -1 +1 @@\n-LR = 1\n+LR = 2 # \x1b[31mred\n"


def night(path: Path, name: str = SESSION, *, ended: bool = True) -> Path:
    """Write the session into the database at `path`; round 3 has an experiment without a measurement unless ended."""
    store = Store(path)
    with store.atomic():
        session = store.insert(
            "sessions",
            {
                "name": name,
                "at": 1000.0,
                "seed": "s",
                "commit": BASE,
                "config": {},
                "program": "p",
                "budget": 15.0,
                "versions": {},
            },
        )
        for member, absent in (("alpha", None), ("beta", None), ("=gamma", None), ("delta", "no key")):
            store.insert(
                "members",
                {
                    "session": session,
                    "name": member,
                    "kind": "random",
                    "options": {},
                    "votes": 1,
                    "absent": absent,
                },
            )
        _round0(store, session)
        _round1(store, session)
        _round2(store, session)
        if ended:
            store.insert(
                "session_ends",
                {
                    "session": session,
                    "at": 2000.0,
                    "reason": "2 rounds done",
                    "exit_code": 0,
                    "rounds": 2,
                    "summary": {},
                },
            )
        else:
            _open_round(store, session, 3)
            _run(store, session, 3, 7, "trial", AGAIN, None, None, None)
    store.close()
    return path


def _open_round(store: Store, session: int, number: int) -> None:
    store.insert("rounds", {"session": session, "round": number, "at": 1000.0 + number, "parent": BASE})


def _run(store, session, round_, number, role, commit, proposal, status, value, reason=""):
    store.insert(
        "experiments",
        {
            "session": session,
            "round": round_,
            "number": number,
            "role": role,
            "at": 1001.0 + number,
            "commit": commit,
            "parent": BASE,
            "proposal": proposal,
            "code": commit[:8],
            "sha256": "0",
            "seed": number,
            "budget": 15.0,
            "split": "validation",
        },
    )
    if status:
        store.insert(
            "measurements",
            {
                "session": session,
                "number": number,
                "at": 1002.0 + number,
                "status": status,
                "val_bpb": value,
                "reason": reason,
                "s0": 0.01,
                "fingerprint": "fp",
                "conditions": {"device": "cpu"},
                "sandbox": "none",
                "train_seconds": 15.0,
                "total_seconds": 20.0,
                "raw": {},
            },
        )


def _book(store, session, round_, number, cause, commit, b, v):
    store.insert(
        "books",
        {
            "session": session,
            "round": round_,
            "number": number,
            "at": 1003.0,
            "cause": cause,
            "commit": commit,
            "code": commit[:8],
            "b": b,
            "v": v,
            "b_base": 1.002,
            "v_base": 4e-5,
            "sigma": 0.009,
            "since": 1,
        },
    )


def _verdict(store, session, round_, number, kind, reason, settles, **numbers):
    store.insert(
        "verdicts",
        {
            "session": session,
            "round": round_,
            "number": number,
            "at": 1003.0,
            "kind": kind,
            "reason": reason,
            "inputs": {},
            "settles": settles,
            **numbers,
        },
    )


def _proposal(store, session, round_, step, member, title, valid, reason="", replaces=None, attempt=1):
    found = store.insert(
        "proposals",
        {
            "session": session,
            "round": round_,
            "step": step,
            "member": member,
            "attempt": attempt,
            "at": 1001.0,
            "replaces": replaces,
            "title": title,
            "hypothesis": f"why {title}",
            "family": "schedule",
            "edit": {"path": "lab/train.py", "whole": None, "blocks": []},
            "forecast": 0.6,
            "diff": DIFF,
            "code": "x",
        },
    )
    store.insert(
        "checks",
        {
            "session": session,
            "round": round_,
            "proposal": found,
            "at": 1001.0,
            "valid": valid,
            "reason": reason,
            "seconds": 0.1,
        },
    )
    return found


def _vote(store, session, round_, judge, shown, ranking, recused, forecasts):
    slate = store.insert(
        "slates",
        {
            "session": session,
            "round": round_,
            "step": "rank",
            "judge": judge,
            "at": 1001.0,
            "shown": shown,
            "recused": recused,
        },
    )
    for proposal in recused:
        store.insert(
            "forecasts", {"session": session, "round": round_, "judge": judge, "proposal": proposal, "p": 0.9, "own": 1}
        )
    if ranking is None:
        store.insert(
            "outcomes",
            {
                "session": session,
                "round": round_,
                "step": "rank",
                "member": judge,
                "attempt": 1,
                "at": 1001.0,
                "kind": "bad_reply",
                "detail": HOSTILE,
            },
        )
        return
    store.insert(
        "ballots",
        {
            "session": session,
            "round": round_,
            "judge": judge,
            "slate": slate,
            "at": 1001.0,
            "ranking": ranking,
            "stated": forecasts,
            "mended": 0,
        },
    )
    for label, proposal in shown:
        store.insert(
            "forecasts",
            {
                "session": session,
                "round": round_,
                "judge": judge,
                "proposal": proposal,
                "p": forecasts[label],
                "own": 0,
            },
        )


def _settle(store, session, round_, number, proposal, judge, p, own, outcome):
    store.insert(
        "settlements",
        {
            "session": session,
            "round": round_,
            "number": number,
            "proposal": proposal,
            "judge": judge,
            "p": p,
            "own": own,
            "outcome": outcome,
            "brier": (p - outcome) ** 2,
            "r": 1.0,
        },
    )


def _round0(store, session):
    _run(store, session, 0, 1, "baseline", BASE, None, "ok", 1.0)
    _run(store, session, 0, 2, "baseline", "a" * 40, None, "ok", 1.004)
    _book(store, session, 0, 2, "start", BASE, 1.002, 4e-5)


def _round1(store, session):
    """Beta's first proposal is invalid and repaired at once; alpha's is picked and kept."""
    _open_round(store, session, 1)
    a = _proposal(store, session, 1, "propose", "alpha", f"raise LR {HOSTILE}", 1)
    bad = _proposal(store, session, 1, "propose", "beta", "broken", 0, "does not apply")
    c = _proposal(store, session, 1, "propose", "=gamma", "no good", 0, "duplicate")
    b = _proposal(store, session, 1, "repair", "beta", "mended", 1, replaces=bad)
    assert c
    _vote(store, session, 1, "alpha", [["Z", b]], ["Z"], [a], {"Z": 0.3})
    _vote(store, session, 1, "beta", [["K", a]], ["K"], [b], {"K": 0.7})
    _vote(store, session, 1, "=gamma", [["M", b], ["Q", a]], ["Q", "M"], [], {"M": 0.2, "Q": 0.8})
    store.insert(
        "tallies",
        {
            "session": session,
            "round": 1,
            "at": 1001.0,
            "rule": "borda",
            "scores": {str(a): 1.0, str(b): 0.5},
            "ranking": [a, b],
            "pick": a,
        },
    )
    call = store.insert(
        "calls",
        {
            "session": session,
            "round": 1,
            "step": "propose",
            "member": "alpha",
            "attempt": 1,
            "turn": 0,
            "at": 1001.0,
            "provider": "x",
            "model": "m",
            "request": {},
            "reserved_usd": 0.5,
        },
    )
    store.insert(
        "replies",
        {
            "call": call,
            "at": 1001.5,
            "status": "ok",
            "text": "t",
            "tokens_in": 1200,
            "tokens_cached": 0,
            "tokens_out": 34,
            "cost_usd": 0.256,
            "seconds": 2.0,
        },
    )
    _run(store, session, 1, 3, "trial", KEPT, a, "ok", 0.985)
    _verdict(
        store,
        session,
        1,
        3,
        "keep",
        "measured below the book",
        1,
        bpb=0.985,
        booked_before=1.002,
        delta=0.017,
        sigmas=1.9,
        expected=0.005,
        belief=0.746,
    )
    _book(store, session, 1, 3, "trial", KEPT, 0.993, 4.9e-5)
    for judge, p, own in (("alpha", 0.9, 1), ("beta", 0.7, 0), ("=gamma", 0.8, 0)):
        _settle(store, session, 1, 3, a, judge, p, own, 1)


def _round2(store, session):
    """Beta's trial crashes early, its repair crashes too; a replicate then sends the book back to the baseline."""
    _open_round(store, session, 2)
    a = _proposal(store, session, 2, "propose", "beta", "crash me", 1)
    fixed = _proposal(store, session, 2, "late_repair", "beta", "crash me less", 1, replaces=a)
    _vote(store, session, 2, "alpha", [["Z", a]], None, [], {})
    store.insert(
        "tallies",
        {
            "session": session,
            "round": 2,
            "at": 1001.0,
            "rule": "borda",
            "scores": {str(a): 0.0},
            "ranking": [a],
            "pick": a,
        },
    )
    _run(store, session, 2, 4, "trial", CRASHED, a, "crash", None, "NameError")
    _verdict(store, session, 2, 4, "crash", "NameError; its author repaired it", 0, booked_before=0.993)
    _run(store, session, 2, 5, "repair", REPAIRED, fixed, "crash", None, f"TypeError {HOSTILE}")
    _verdict(store, session, 2, 5, "crash", f"TypeError {HOSTILE}", 1, booked_before=0.993)
    _run(store, session, 2, 6, "replicate", AGAIN, None, "ok", 1.02)
    _book(store, session, 2, 6, "replicate", KEPT, 1.006, 2e-5)
    _book(store, session, 2, 6, "back", BASE, 1.002, 4e-5)
    _settle(store, session, 2, 5, fixed, "beta", 0.6, 1, 0)
