"""The tables, in the order in which rows refer to each other.

A table is its columns, the rows it refers to and its natural key. Rows are only ever inserted: triggers refuse UPDATE
and DELETE, and each row has its line in `ledger`. JSON columns hold canonical JSON text (`council/store/ledger.py`).
To add a table or a column: write a new migration in `council/store/migrations.py`; never edit one that has shipped.
"""

from __future__ import annotations

from dataclasses import dataclass, field

I, R, T = int, float, str


@dataclass(frozen=True)
class Table:
    """Columns by type (int, float, str), foreign keys {column: table}, the unique key, JSON columns."""

    columns: dict[str, type]
    refers: dict[str, str] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    json: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


STEP = {"session": I, "round": I, "step": T, "member": T, "attempt": I}
STEP_KEY = ("session", "round", "step", "member", "attempt")
RUN = {"session": I, "round": I, "number": I}

TABLES: dict[str, Table] = {
    "sessions": Table(
        {"name": T, "at": R, "seed": T, "commit": T, "config": T, "program": T, "budget": R, "versions": T},
        key=("name",),
        json=("config", "versions"),
        optional=("budget",),
    ),
    "session_ends": Table(
        {"session": I, "at": R, "reason": T, "exit_code": I, "rounds": I, "summary": T},
        {"session": "sessions"},
        json=("summary",),
    ),
    "members": Table(
        {"session": I, "name": T, "kind": T, "model": T, "options": T, "votes": I, "absent": T, "template": T},
        {"session": "sessions"},
        ("session", "name"),
        ("options",),
        ("model", "absent", "template"),
    ),
    "rounds": Table(
        {"session": I, "round": I, "at": R, "parent": T, "book": I, "brief": T},
        {"session": "sessions", "book": "books"},
        ("session", "round"),
        optional=("book", "brief"),
    ),
    "outcomes": Table({**STEP, "at": R, "kind": T, "detail": T}, {"session": "sessions"}, STEP_KEY),
    "calls": Table(
        {**STEP, "turn": I, "at": R, "provider": T, "model": T, "request": T, "reserved_usd": R},
        {"session": "sessions"},
        (*STEP_KEY, "turn"),
        ("request",),
    ),
    "replies": Table(
        {
            "call": I,
            "at": R,
            "status": T,
            "text": T,
            "raw": T,
            "tokens_in": I,
            "tokens_cached": I,
            "tokens_out": I,
            "cost_usd": R,
            "seconds": R,
            "request_id": T,
        },
        {"call": "calls"},
        ("call",),
        ("raw",),
        ("raw", "request_id"),
    ),
    "proposals": Table(
        {
            **STEP,
            "at": R,
            "replaces": I,
            "title": T,
            "hypothesis": T,
            "family": T,
            "edit": T,
            "forecast": R,
            "diff": T,
            "code": T,
        },
        {"session": "sessions", "replaces": "proposals"},
        STEP_KEY,
        ("edit",),
        ("replaces", "diff", "code"),
    ),
    "checks": Table(
        {"session": I, "round": I, "proposal": I, "at": R, "valid": I, "reason": T, "seconds": R},
        {"session": "sessions", "proposal": "proposals"},
        ("proposal",),
    ),
    "critiques": Table(
        {"session": I, "round": I, "member": T, "proposal": I, "at": R, "text": T},
        {"session": "sessions", "proposal": "proposals"},
        ("member", "proposal"),
    ),
    "responses": Table(
        {"session": I, "round": I, "member": T, "proposal": I, "revised": I, "at": R, "text": T},
        {"session": "sessions", "proposal": "proposals", "revised": "proposals"},
        ("proposal",),
        optional=("revised",),
    ),
    "slates": Table(
        {"session": I, "round": I, "step": T, "judge": T, "at": R, "shown": T, "recused": T},
        {"session": "sessions"},
        ("session", "round", "step", "judge"),
        ("shown", "recused"),
    ),
    "ballots": Table(
        {"session": I, "round": I, "judge": T, "slate": I, "at": R, "ranking": T, "stated": T, "mended": I},
        {"session": "sessions", "slate": "slates"},
        ("session", "round", "judge"),
        ("ranking", "stated"),
    ),
    "forecasts": Table(
        {"session": I, "round": I, "judge": T, "proposal": I, "p": R, "own": I},
        {"session": "sessions", "proposal": "proposals"},
        ("judge", "proposal"),
    ),
    "tallies": Table(
        {"session": I, "round": I, "at": R, "rule": T, "scores": T, "ranking": T, "pick": I, "beliefs": T},
        {"session": "sessions", "pick": "proposals"},
        ("session", "round"),
        ("scores", "ranking", "beliefs"),
        ("beliefs",),
    ),
    "experiments": Table(
        {
            **RUN,
            "role": T,
            "at": R,
            "commit": T,
            "parent": T,
            "proposal": I,
            "code": T,
            "sha256": T,
            "seed": I,
            "budget": R,
            "split": T,
        },
        {"session": "sessions", "proposal": "proposals"},
        ("session", "number"),
        optional=("proposal", "budget"),
    ),
    "measurements": Table(
        {
            "session": I,
            "number": I,
            "at": R,
            "status": T,
            "val_bpb": R,
            "reason": T,
            "s0": R,
            "fingerprint": T,
            "conditions": T,
            "sandbox": T,
            "train_seconds": R,
            "total_seconds": R,
            "raw": T,
        },
        {"session": "sessions"},
        ("session", "number"),
        ("conditions", "raw"),
        ("val_bpb",),
    ),
    "logs": Table(
        {"session": I, "number": I, "tail": T, "curve": T},
        {"session": "sessions"},
        ("session", "number"),
        ("curve",),
    ),
    "verdicts": Table(
        {
            **RUN,
            "at": R,
            "kind": T,
            "reason": T,
            "bpb": R,
            "booked_before": R,
            "delta": R,
            "sigmas": R,
            "score": R,
            "expected": R,
            "belief": R,
            "inputs": T,
            "settles": I,
        },
        {"session": "sessions"},
        ("session", "number"),
        ("inputs",),
        ("bpb", "booked_before", "delta", "sigmas", "score", "expected", "belief"),
    ),
    "books": Table(
        {
            **RUN,
            "at": R,
            "cause": T,
            "commit": T,
            "code": T,
            "b": R,
            "v": R,
            "b_base": R,
            "v_base": R,
            "sigma": R,
            "since": I,
        },
        {"session": "sessions"},
        ("session", "number", "cause"),
    ),
    "settlements": Table(
        {**RUN, "proposal": I, "judge": T, "p": R, "own": I, "outcome": I, "brier": R, "r": R},
        {"session": "sessions", "proposal": "proposals"},
        ("session", "number", "judge"),
    ),
    "closings": Table(
        {"session": I, "at": R, "pairs": I, "gain": R, "low": R, "sigma": R, "confirmed": I, "inputs": T},
        {"session": "sessions"},
        json=("inputs",),
    ),
    "reputation": Table(
        {**RUN, "member": T, "settled": I, "brier": R, "skill": R, "skill_sd": R, "weight": R, "weight_sd": R},
        {"session": "sessions"},
        ("session", "number", "member"),
        optional=("brier", "skill", "skill_sd", "weight", "weight_sd"),
    ),
}

LEDGER = Table(
    {"seq": I, "at": R, "tbl": T, "row_id": I, "sha256": T, "prev": T, "hash": T},
    key=("tbl", "row_id"),
)
