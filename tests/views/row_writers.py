"""One row of each kind, with everything that no test cares about filled in."""

from __future__ import annotations

from council.store import Store

BASE = "b" * 40
HOSTILE = "\x1b[2J\x1b]0;owned\x07 <b>bold</b> \u202eevil\u202c a\u200bb\x00\x9b31m\nsecond line =cmd()"
DIFF = "--- a/lab/train.py\n+++ b/lab/train.py\n@@ -1 +1 @@\n-LR = 1\n+LR = 2 # \x1b[31mred\n"


def open_round(store: Store, session: int, number: int) -> None:
    store.insert("rounds", {"session": session, "round": number, "at": 1000.0 + number, "parent": BASE})


def run(store, session, round_, number, role, commit, proposal, status, value, reason=""):
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


def book(store, session, round_, number, cause, commit, b, v):
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


def verdict(store, session, round_, number, kind, reason, settles, **numbers):
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


def proposal(store, session, round_, step, member, title, valid, reason="", replaces=None, attempt=1):
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


def vote(store, session, round_, judge, shown, ranking, recused, forecasts):
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


def settle(store, session, round_, number, proposal, judge, p, own, outcome):
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
