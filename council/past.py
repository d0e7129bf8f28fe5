"""What the database knows before a run: the session that goes on, or the name of a new one, and how things went so far.

Why here: it is read once, before the lock's holder writes anything, and closed again. How to extend: a fact that the
plan needs of earlier runs is a field of `Past` with one query.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from council import pace
from council.calls import Calls
from council.config_members import BUILT_IN
from council.errors import StoreEmpty, UsageError
from council.repo import valid_session_name
from council.store import Row, Store
from council.terms import Request


@dataclass(frozen=True)
class Past:
    """`session` goes on, None for a new one; `spent` are its dollars, `timed` how fast members of any answered.

    `strange` says whether it holds an edit by another than the built-in members, `voters` who votes since it opened.
    """

    session: Row | None
    name: str
    begun: int = 0
    done: int = 0
    spent: float = 0.0
    timed: pace.Timed = field(default_factory=dict)
    strange: bool = False
    voters: frozenset[str] = frozenset()


AUTHORS = """
SELECT DISTINCT m.kind FROM proposals p LEFT JOIN members m ON m.session = p.session AND m.name = p.member
WHERE p.session = ?
"""
"""The kinds of those who proposed something; NULL for one that was not there when the session opened."""


def look_back(path: Path, request: Request) -> Past:
    """What the database at `path` knows, if there is one. Raises UsageError for a name that does not fit."""
    try:
        store = Store(path, read_only=True)
    except StoreEmpty:
        return _past(None, request)
    with closing(store):
        return _past(store, request)


def _past(store: Store | None, request: Request) -> Past:
    old = _resumed(store, request)
    if store is None or old is None:
        return Past(None, _name(store, request), timed=pace.timed(store) if store else {})
    begun, done = _rounds(store, old["id"])
    spent = sum(Calls(store, old["id"]).money())
    strange = any(row["kind"] not in BUILT_IN for row in store.query(AUTHORS, old["id"]))
    voters = frozenset(row["name"] for row in store.rows("members", session=old["id"], votes=1))
    return Past(old, old["name"], begun, done, spent, pace.timed(store), strange, voters)


def _resumed(store: Store | None, request: Request) -> Row | None:
    if request.resume is None:
        return None
    rows = store.rows("sessions", order="id DESC") if store else []
    own = [row for row in rows if "imported" not in row["config"]]  # an imported log has nothing to go on with
    found = next((row for row in own if request.resume in ("", row["name"])), None)
    if found is None:
        names = [row["name"] for row in own][:5]
        raise UsageError(
            f"there is no session {request.resume or 'to resume'}",
            hint=f"Known sessions: {', '.join(names) or 'none'}.",
        )
    return found


def _name(store: Store | None, request: Request) -> str:
    taken = {row["name"]: row["config"] for row in store.rows("sessions")} if store else {}
    if request.session:
        if not valid_session_name(request.session):
            raise UsageError(
                f"--session: {request.session!r} is not a name",
                hint="Use letters, digits, dot, dash and underscore, at most 64.",
            )
        if request.session in taken:
            own = "imported" not in taken[request.session]
            hint = f"Go on with it: council run --resume {request.session}" if own else "Choose another name."
            raise UsageError(f"the session {request.session} exists", hint=hint)
        return request.session
    day, count = datetime.now().strftime("%Y-%m-%d"), 1
    while (name := day if count == 1 else f"{day}-{count}") in taken:
        count += 1
    return name


def _rounds(store: Store, session: int) -> tuple[int, int]:
    """(rounds that have begun, rounds that are done)."""
    found = store.one("session_ends", order="id DESC", session=session)
    last = store.one("rounds", order="round DESC", session=session)
    begun = int(last["round"]) if last else 0
    return begun, max(int(found["rounds"]) if found else 0, begun - 1)
