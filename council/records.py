"""What the rows of a session say, read back as the words of the council.

Both graphs and the session ask these questions of the store; none keeps an answer, so a resumed run knows exactly what
the killed one knew. Everything here reads; nothing writes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable

from council.judge.book import pooled_variance
from council.store import Row, Store
from council.types import Block, Book, Edit, Measurement, Proposal, Role

NOISE_ROLES = (Role.BASELINE, Role.REPLICATE, Role.CLOSING)
"""Roles of runs that did not decide the keeping of their code: only these inform σ."""


def book(store: Store, session: int) -> tuple[Book, Row] | None:
    """The present book and its row, or None before the baseline is booked."""
    row = store.one("books", order="id DESC", session=session)
    return None if row is None else (book_of(row), row)


def book_of(row: Row) -> Book:
    """A row of `books` as a Book."""
    return Book(row["commit"], row["b"], row["v"], row["b_base"], row["v_base"])


def measured(store: Store, session: int, roles: Iterable[str], since: int, until: int | None = None) -> list[Row]:
    """Successful runs of those roles numbered `since` to `until` under the conditions of run `since`.

    Columns: number, code, split, val_bpb, s0, role. Measurements under other conditions or on other data never mix.
    """
    roles = tuple(roles)
    sql = (
        "SELECT e.number, e.code, e.split, e.role, m.val_bpb, m.s0 FROM experiments e "
        "JOIN measurements m ON m.session = e.session AND m.number = e.number "
        "JOIN measurements f ON f.session = e.session AND f.number = ? "
        "AND f.fingerprint = m.fingerprint AND f.conditions = m.conditions "
        f"WHERE e.session = ? AND m.status = 'ok' AND e.role IN ({', '.join('?' * len(roles))}) "
        "AND e.number >= ? AND e.number <= ? ORDER BY e.number"
    )
    return list(store.query(sql, since, session, *roles, since, until if until is not None else 2**62))


def variance(store: Store, session: int, since: int, until: int | None = None) -> float:
    """σ² over runs numbered `since` to `until` that did not decide their keeping. Needs at least one such run."""
    rows = measured(store, session, NOISE_ROLES, since, until)
    return pooled_variance(rows[0]["s0"], _grouped(rows))


def groups(store: Store, session: int, since: int, until: int, without: Container[int] = ()) -> list[list[float]]:
    """BPBs of the same runs but for some numbers, a list per code and split: what a closing pools its own runs with."""
    rows = measured(store, session, NOISE_ROLES, since, until)
    return _grouped(row for row in rows if row["number"] not in without)


def _grouped(rows: Iterable[Row]) -> list[list[float]]:
    runs: dict[tuple[str, str], list[float]] = defaultdict(list)  # another split has another mean
    for row in rows:
        runs[row["code"], row["split"]].append(row["val_bpb"])
    return list(runs.values())


def proposal_of(row: Row) -> Proposal:
    """A row of `proposals` as the member gave it."""
    edit = row["edit"]
    blocks = tuple(Block(b["search"], b["replace"]) for b in edit["blocks"])
    return Proposal(
        row["title"], row["hypothesis"], row["family"], Edit(blocks, edit["whole"], edit["path"]), row["forecast"]
    )


def edit_json(edit: Edit) -> dict[str, object]:
    """An edit as the store keeps it."""
    blocks = [{"search": b.search, "replace": b.replace} for b in edit.blocks]
    return {"path": edit.path, "whole": edit.whole, "blocks": blocks}


def checks(store: Store, session: int, round_: int) -> dict[int, Row]:
    """The guard's word on each proposal of a round, by proposal id."""
    return {row["proposal"]: row for row in store.rows("checks", session=session, round=round_)}


def standing(store: Store, session: int, round_: int) -> dict[int, Row]:
    """The proposals that stand for a vote: per member its latest valid one, by id in order of members' names.

    A late repair, made after the vote, never stands.
    """
    valid = {p for p, row in checks(store, session, round_).items() if row["valid"]}
    latest: dict[str, Row] = {}
    for row in store.rows("proposals", session=session, round=round_):
        if row["id"] in valid and row["step"] != "late_repair":
            latest[row["member"]] = row
    return {row["id"]: row for _, row in sorted(latest.items())}


def known_code(store: Store, session: int) -> dict[str, str]:
    """Fingerprints of code measured in the session, each with where."""
    sql = (
        "SELECT e.code, min(e.number) AS number, e.role FROM experiments e JOIN measurements m "
        "ON m.session = e.session AND m.number = e.number WHERE e.session = ? AND m.status != 'void' GROUP BY e.code"
    )
    return {row["code"]: f"experiment {row['number']} ({row['role']})" for row in store.query(sql, session)}


def measurement_row(session: int, number: int, at: float, m: Measurement) -> Row:
    """A Measurement as the store keeps it."""
    return {
        "session": session,
        "number": number,
        "at": at,
        "status": m.status,
        "val_bpb": m.val_bpb,
        "reason": m.reason,
        "s0": m.s0,
        "fingerprint": m.fingerprint,
        "conditions": dict(m.conditions),
        "sandbox": m.sandbox,
        "train_seconds": m.train_seconds,
        "total_seconds": m.total_seconds,
        "raw": dict(m.raw),
    }
