"""Rows written into a night after the fact, each with its own line at the end of the chain: found by where they stand.

They are recorded by the council's own `Store`, as anyone could who has it: the rows are whole, the chain is sound and
git agrees with it. Only that a session makes its rows round after round, and none after its end, tells on them.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from council.lock import hold
from council.store import Store
from tests.test_audit_night import SCRIPT, Fake, audited, lab, night, run

AT = {"session": 1, "member": "ann", "attempt": 3, "at": 1.0}
CALL = {**AT, "step": "propose", "turn": 1, "provider": "openai", "model": "m", "request": {}, "reserved_usd": 500.0}
OUTCOME = {**AT, "step": "propose", "kind": "refused", "detail": "no"}
PROPOSAL = {
    **AT, "step": "propose", "title": "t", "hypothesis": "h", "family": "other", "edit": {}, "forecast": 0.5,
}  # fmt: skip
MEMBER = {"session": 1, "name": "dan", "kind": "openai", "options": {}, "votes": False}
STANDING = {"session": 1, "round": 8, "number": 13, "member": "dan", "settled": 0}


def record(folder: Path, *rows: tuple[str, dict[str, object]]) -> None:
    """Add rows to a lab's database, each with its line."""
    with closing(Store(folder / ".council/council.db")) as store:
        for tbl, row in rows:
            store.insert(tbl, row)


ADDED = [
    ("a dear call in an early round", "calls", {**CALL, "round": 1}, "recorded after round 8 had begun"),
    ("a call in the last round", "calls", {**CALL, "round": 8}, "with which the session had ended"),
    ("a call in a round that never was", "calls", {**CALL, "round": 9}, "had not begun"),
    ("a call in round 0", "calls", {**CALL, "round": 0}, "round 0 holds no calls"),
    ("an outcome", "outcomes", {**OUTCOME, "round": 3}, "recorded after round 8 had begun"),
    ("an outcome in the last round", "outcomes", {**OUTCOME, "round": 8}, "with which the session had ended"),
    ("a proposal", "proposals", {**PROPOSAL, "round": 8}, "with which the session had ended"),
    ("a member", "members", MEMBER, "a member that came after the session had begun"),
    ("a standing", "reputation", STANDING, "with which the session had ended"),
]


@pytest.mark.parametrize(("tbl", "row", "what"), [c[1:] for c in ADDED], ids=[c[0] for c in ADDED])
def test_a_row_chained_to_the_end_of_a_night_is_found(tmp_path, tbl, row, what):
    folder = night(tmp_path)
    record(folder, (tbl, row))
    problems = [p for p in audited(folder).problems if p.kind == "order"]
    assert [p.where.partition(" row ")[0] for p in problems] == [tbl] and what in problems[0].what


def test_a_reply_chained_to_the_end_is_found_by_the_round_of_its_call(tmp_path):
    folder = night(tmp_path)
    reply = {
        "call": 1, "at": 1.0, "status": "ok", "text": "", "tokens_in": 0, "tokens_cached": 0, "tokens_out": 0,
        "cost_usd": 500.0, "seconds": 1.0,
    }  # fmt: skip
    record(folder, ("calls", {**CALL, "round": 2}), ("replies", reply))
    assert {"calls row 1", "replies row 1"} <= {p.where for p in audited(folder).problems if p.kind == "order"}


def test_an_outcome_in_a_round_that_a_stopped_night_had_done_is_found(tmp_path):
    folder = paused(tmp_path)
    record(folder, ("outcomes", {**OUTCOME, "round": 1}))
    assert [p.kind for p in audited(folder).problems] == ["order"]


def paused(tmp_path: Path) -> Path:
    """A night that stops because the machine fails: two crashes, and the incumbent crashes too."""
    folder = lab(tmp_path / "lab")
    ending = run(folder, Fake([*SCRIPT[:2], "late", "late", "late"]), session="night", rounds=3)
    assert ending.exit_code == 1 and ending.reason.startswith("paused")
    return folder


def test_a_paused_night_adds_up_before_and_after_it_goes_on(tmp_path):
    folder = paused(tmp_path)
    assert audited(folder).problems == ()
    assert run(folder, Fake([1.001, 0.99, 0.98]), resume="night", rounds=3).exit_code == 0
    assert audited(folder).problems == ()


GHOST = {
    "name": "ghost", "at": 1.0, "seed": "s", "commit": "", "config": {"judge": {}}, "program": "", "versions": {},
}  # fmt: skip


def haunt(folder: Path) -> None:
    with closing(Store(folder / ".council/council.db")) as store:
        commit = store.get("sessions", 1)["commit"]
        store.insert("sessions", {**GHOST, "commit": commit})


def test_a_session_in_which_nothing_ran_and_that_no_commit_vouches_for_is_found(tmp_path):
    folder = night(tmp_path)
    haunt(folder)
    assert [(p.kind, p.where) for p in audited(folder).problems] == [("session", "ghost")]


def test_a_session_that_begins_at_this_moment_is_not(tmp_path):
    folder = night(tmp_path)
    haunt(folder)
    with hold(folder / ".council/lock"):
        assert audited(folder).problems == ()


def test_a_session_that_was_killed_at_once_is_vouched_for_by_the_night_after_it(tmp_path):
    folder = night(tmp_path)
    haunt(folder)
    assert run(folder, Fake([1.0, 1.0, 0.9]), session="other", rounds=1).exit_code == 0
    assert audited(folder).problems == ()
