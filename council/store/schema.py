"""The tables, in the order in which rows refer to each other.

A table is its columns, the rows it refers to and its natural key. Rows are only ever inserted: triggers refuse UPDATE
and DELETE, and each row has its line in `ledger`. JSON columns hold canonical JSON text (`council/store/ledger.py`).
To add a table or a column: write a new migration in `council/store/migrations.py`; never edit one that has shipped.
"""

from __future__ import annotations

from dataclasses import dataclass, field

INT, REAL, TEXT = int, float, str


@dataclass(frozen=True)
class Table:
    """Columns by type (int, float, str), foreign keys {column: table}, the unique key, JSON columns."""

    columns: dict[str, type]
    refers: dict[str, str] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    json: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


STEP = {"session": INT, "round": INT, "step": TEXT, "member": TEXT, "attempt": INT}
STEP_KEY = ("session", "round", "step", "member", "attempt")
RUN = {"session": INT, "round": INT, "number": INT}

TABLES: dict[str, Table] = {
    "sessions": Table(
        {
            "name": TEXT,
            "at": REAL,
            "seed": TEXT,
            "commit": TEXT,
            "config": TEXT,
            "program": TEXT,
            "budget": REAL,
            "versions": TEXT,
        },
        key=("name",),
        json=("config", "versions"),
        optional=("budget",),
    ),
    "session_ends": Table(
        {"session": INT, "at": REAL, "reason": TEXT, "exit_code": INT, "rounds": INT, "summary": TEXT},
        {"session": "sessions"},
        json=("summary",),
    ),
    "members": Table(
        {
            "session": INT,
            "name": TEXT,
            "kind": TEXT,
            "model": TEXT,
            "options": TEXT,
            "votes": INT,
            "absent": TEXT,
            "template": TEXT,
        },
        {"session": "sessions"},
        ("session", "name"),
        ("options",),
        ("model", "absent", "template"),
    ),
    "rounds": Table(
        {"session": INT, "round": INT, "at": REAL, "parent": TEXT, "book": INT, "brief": TEXT},
        {"session": "sessions", "book": "books"},
        ("session", "round"),
        optional=("book", "brief"),
    ),
    "outcomes": Table({**STEP, "at": REAL, "kind": TEXT, "detail": TEXT}, {"session": "sessions"}, STEP_KEY),
    "calls": Table(
        {**STEP, "turn": INT, "at": REAL, "provider": TEXT, "model": TEXT, "request": TEXT, "reserved_usd": REAL},
        {"session": "sessions"},
        (*STEP_KEY, "turn"),
        ("request",),
    ),
    "replies": Table(
        {
            "call": INT,
            "at": REAL,
            "status": TEXT,
            "text": TEXT,
            "raw": TEXT,
            "tokens_in": INT,
            "tokens_cached": INT,
            "tokens_out": INT,
            "cost_usd": REAL,
            "seconds": REAL,
            "request_id": TEXT,
        },
        {"call": "calls"},
        ("call",),
        ("raw",),
        ("raw", "request_id"),
    ),
    "proposals": Table(
        {
            **STEP,
            "at": REAL,
            "replaces": INT,
            "title": TEXT,
            "hypothesis": TEXT,
            "family": TEXT,
            "edit": TEXT,
            "forecast": REAL,
            "diff": TEXT,
            "code": TEXT,
        },
        {"session": "sessions", "replaces": "proposals"},
        STEP_KEY,
        ("edit",),
        ("replaces", "diff", "code"),
    ),
    "checks": Table(
        {"session": INT, "round": INT, "proposal": INT, "at": REAL, "valid": INT, "reason": TEXT, "seconds": REAL},
        {"session": "sessions", "proposal": "proposals"},
        ("proposal",),
    ),
    "critiques": Table(
        {"session": INT, "round": INT, "member": TEXT, "proposal": INT, "at": REAL, "text": TEXT},
        {"session": "sessions", "proposal": "proposals"},
        ("member", "proposal"),
    ),
    "responses": Table(
        {"session": INT, "round": INT, "member": TEXT, "proposal": INT, "revised": INT, "at": REAL, "text": TEXT},
        {"session": "sessions", "proposal": "proposals", "revised": "proposals"},
        ("proposal",),
        optional=("revised",),
    ),
    "slates": Table(
        {"session": INT, "round": INT, "step": TEXT, "judge": TEXT, "at": REAL, "shown": TEXT, "recused": TEXT},
        {"session": "sessions"},
        ("session", "round", "step", "judge"),
        ("shown", "recused"),
    ),
    "ballots": Table(
        {
            "session": INT,
            "round": INT,
            "judge": TEXT,
            "slate": INT,
            "at": REAL,
            "ranking": TEXT,
            "stated": TEXT,
            "mended": INT,
        },
        {"session": "sessions", "slate": "slates"},
        ("session", "round", "judge"),
        ("ranking", "stated"),
    ),
    "forecasts": Table(
        {"session": INT, "round": INT, "judge": TEXT, "proposal": INT, "p": REAL, "own": INT},
        {"session": "sessions", "proposal": "proposals"},
        ("judge", "proposal"),
    ),
    "tallies": Table(
        {
            "session": INT,
            "round": INT,
            "at": REAL,
            "rule": TEXT,
            "scores": TEXT,
            "ranking": TEXT,
            "pick": INT,
            "beliefs": TEXT,
        },
        {"session": "sessions", "pick": "proposals"},
        ("session", "round"),
        ("scores", "ranking", "beliefs"),
        ("beliefs",),
    ),
    "experiments": Table(
        {
            **RUN,
            "role": TEXT,
            "at": REAL,
            "commit": TEXT,
            "parent": TEXT,
            "proposal": INT,
            "code": TEXT,
            "sha256": TEXT,
            "seed": INT,
            "budget": REAL,
            "split": TEXT,
        },
        {"session": "sessions", "proposal": "proposals"},
        ("session", "number"),
        optional=("proposal", "budget"),
    ),
    "measurements": Table(
        {
            "session": INT,
            "number": INT,
            "at": REAL,
            "status": TEXT,
            "val_bpb": REAL,
            "reason": TEXT,
            "s0": REAL,
            "fingerprint": TEXT,
            "conditions": TEXT,
            "sandbox": TEXT,
            "train_seconds": REAL,
            "total_seconds": REAL,
            "raw": TEXT,
        },
        {"session": "sessions"},
        ("session", "number"),
        ("conditions", "raw"),
        ("val_bpb",),
    ),
    "logs": Table(
        {"session": INT, "number": INT, "tail": TEXT, "curve": TEXT},
        {"session": "sessions"},
        ("session", "number"),
        ("curve",),
    ),
    "verdicts": Table(
        {
            **RUN,
            "at": REAL,
            "kind": TEXT,
            "reason": TEXT,
            "bpb": REAL,
            "booked_before": REAL,
            "delta": REAL,
            "sigmas": REAL,
            "score": REAL,
            "expected": REAL,
            "belief": REAL,
            "inputs": TEXT,
            "settles": INT,
        },
        {"session": "sessions"},
        ("session", "number"),
        ("inputs",),
        ("bpb", "booked_before", "delta", "sigmas", "score", "expected", "belief"),
    ),
    "books": Table(
        {
            **RUN,
            "at": REAL,
            "cause": TEXT,
            "commit": TEXT,
            "code": TEXT,
            "b": REAL,
            "v": REAL,
            "b_base": REAL,
            "v_base": REAL,
            "sigma": REAL,
            "since": INT,
        },
        {"session": "sessions"},
        ("session", "number", "cause"),
    ),
    "settlements": Table(
        {**RUN, "proposal": INT, "judge": TEXT, "p": REAL, "own": INT, "outcome": INT, "brier": REAL, "r": REAL},
        {"session": "sessions", "proposal": "proposals"},
        ("session", "number", "judge"),
    ),
    "closings": Table(
        {
            "session": INT,
            "at": REAL,
            "pairs": INT,
            "gain": REAL,
            "low": REAL,
            "sigma": REAL,
            "confirmed": INT,
            "inputs": TEXT,
        },
        {"session": "sessions"},
        json=("inputs",),
    ),
    "reputation": Table(
        {
            **RUN,
            "member": TEXT,
            "settled": INT,
            "brier": REAL,
            "skill": REAL,
            "skill_sd": REAL,
            "weight": REAL,
            "weight_sd": REAL,
        },
        {"session": "sessions"},
        ("session", "number", "member"),
        optional=("brier", "skill", "skill_sd", "weight", "weight_sd"),
    ),
}

LEDGER = Table(
    {"seq": INT, "at": REAL, "tbl": TEXT, "row_id": INT, "sha256": TEXT, "prev": TEXT, "hash": TEXT},
    key=("tbl", "row_id"),
)
