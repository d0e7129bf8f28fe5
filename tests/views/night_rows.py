"""A session as rows: two rounds with a keep, a crash and its repair, a replicate, going back, hostile text."""

from __future__ import annotations

from pathlib import Path

from council.store import Store
from tests.views.row_writers import BASE, HOSTILE, book, open_round, proposal, run, settle, verdict, vote

SESSION = "2026-11-20"
KEPT, CRASHED, REPAIRED, AGAIN = ("c" * 40, "d" * 40, "e" * 40, "f" * 40)


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
            open_round(store, session, 3)
            run(store, session, 3, 7, "trial", AGAIN, None, None, None)
    store.close()
    return path


def _round0(store, session):
    run(store, session, 0, 1, "baseline", BASE, None, "ok", 1.0)
    run(store, session, 0, 2, "baseline", "a" * 40, None, "ok", 1.004)
    book(store, session, 0, 2, "start", BASE, 1.002, 4e-5)


def _round1(store, session):
    """Beta's first proposal is invalid and repaired at once; alpha's is picked and kept."""
    open_round(store, session, 1)
    a = proposal(store, session, 1, "propose", "alpha", f"raise LR {HOSTILE}", 1)
    bad = proposal(store, session, 1, "propose", "beta", "broken", 0, "does not apply")
    c = proposal(store, session, 1, "propose", "=gamma", "no good", 0, "duplicate")
    b = proposal(store, session, 1, "repair", "beta", "mended", 1, replaces=bad)
    assert c
    vote(store, session, 1, "alpha", [["Z", b]], ["Z"], [a], {"Z": 0.3})
    vote(store, session, 1, "beta", [["K", a]], ["K"], [b], {"K": 0.7})
    vote(store, session, 1, "=gamma", [["M", b], ["Q", a]], ["Q", "M"], [], {"M": 0.2, "Q": 0.8})
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
    run(store, session, 1, 3, "trial", KEPT, a, "ok", 0.985)
    verdict(
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
    book(store, session, 1, 3, "trial", KEPT, 0.993, 4.9e-5)
    for judge, p, own in (("alpha", 0.9, 1), ("beta", 0.7, 0), ("=gamma", 0.8, 0)):
        settle(store, session, 1, 3, a, judge, p, own, 1)


def _round2(store, session):
    """Beta's trial crashes early, its repair crashes too; a replicate then sends the book back to the baseline."""
    open_round(store, session, 2)
    a = proposal(store, session, 2, "propose", "beta", "crash me", 1)
    fixed = proposal(store, session, 2, "late_repair", "beta", "crash me less", 1, replaces=a)
    vote(store, session, 2, "alpha", [["Z", a]], None, [], {})
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
    run(store, session, 2, 4, "trial", CRASHED, a, "crash", None, "NameError")
    verdict(store, session, 2, 4, "crash", "NameError; its author repaired it", 0, booked_before=0.993)
    run(store, session, 2, 5, "repair", REPAIRED, fixed, "crash", None, f"TypeError {HOSTILE}")
    verdict(store, session, 2, 5, "crash", f"TypeError {HOSTILE}", 1, booked_before=0.993)
    run(store, session, 2, 6, "replicate", AGAIN, None, "ok", 1.02)
    book(store, session, 2, 6, "replicate", KEPT, 1.006, 2e-5)
    book(store, session, 2, 6, "back", BASE, 1.002, 4e-5)
    settle(store, session, 2, 5, fixed, "beta", 0.6, 1, 0)
