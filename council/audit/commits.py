"""Commits and refs: every experiment stands in git where its row says, and git carries the head of the ledger.

A commit's trailer names a line of the ledger by its number and its hash. A database whose rows were changed and whose
chain was computed anew is sound in itself, and found here: its lines no longer have the hashes that git remembers.
"""

from __future__ import annotations

from council.audit import history
from council.audit.chain import Ledger
from council.audit.findings import Findings
from council.audit.history import Commit, Refs
from council.repo import Repo
from council.repo_text import VALUE_LIMIT, one_line
from council.store import Row, Store

EXPERIMENTS = """
SELECT e.id, e.round, e.number, e."commit", e.parent, e.role, m.status, p.member FROM experiments e
LEFT JOIN measurements m ON m.session = e.session AND m.number = e.number
LEFT JOIN proposals p ON p.id = e.proposal
WHERE e.session = ? ORDER BY e.number
"""


def check(store: Store, repo: Repo, session: Row, ledger: Ledger, refs: Refs, found: Findings) -> None:
    """Check the commits and refs of one session."""
    name, rows = str(session["name"]), list(store.query(EXPERIMENTS, session["id"]))
    end = refs.after.get(f"refs/council/{name}/end")
    wanted = [session["commit"], end, *(r["commit"] for r in rows), *(r["parent"] for r in rows)]
    commits = history.commits(repo, wanted)
    if not commits and not _refs_of(name, refs):
        told = "the repository holds no commit and no ref of it, so nothing of it was compared with git"
        found.add("commit", name, f"{told}: an export needs the commits that belong to it")
        return
    if session["commit"] not in commits:
        found.add("commit", name, f"the commit it started from, {session['commit']}, does not exist")
    last = rows[-1]["number"] if rows else 0
    for row in rows:
        with found.reading(f"{name} x{row['number']}"):
            _experiment(row, name, last, commits, ledger, refs, found)
    own = f"refs/council/{name}/"
    known = {own + part for part in ("end", "best", *(f"x{row['number']}" for row in rows))}
    for ref in refs.before:
        if ref.startswith(own) and ref not in known:
            found.add("ref", ref, "it points to nothing that the database holds")
    _end(store, session, end, commits, ledger, refs, found)
    _branch(store, session, ledger, refs, found)


def _refs_of(name: str, refs: Refs) -> list[str]:
    """The refs of a session, in one of the two readings."""
    own = (f"refs/council/{name}/", f"refs/heads/council/{name}")
    return [ref for ref in (*refs.before, *refs.after) if ref.startswith(own[0]) or ref == own[1]]


def _experiment(
    row: Row, name: str, last: int, commits: dict[str, Commit], ledger: Ledger, refs: Refs, found: Findings
) -> None:
    where, ref = f"{name} x{row['number']}", f"refs/council/{name}/x{row['number']}"
    # a kill between an experiment's row and its ref leaves the ref to the run that follows
    fresh = row["number"] == last and row["status"] is None and refs.points(ref, None)
    found.unless(fresh or refs.points(ref, row["commit"]), "ref", ref, f"it does not point to commit {row['commit']}")
    commit = commits.get(row["commit"])
    if commit is None:
        found.add("commit", where, f"its commit {row['commit']} does not exist")
        return
    if commit.parents != (row["parent"],):
        told = ", ".join(commit.parents) or "nothing"
        found.add("commit", where, f"its commit stands on {told}, the row says on {row['parent']}")
    _trailers(commit, where, {"Council-Round": str(row["round"]), "Council-Member": row["member"] or "-"}, found)
    seq = _anchored(commit, where, ledger, found)
    own = ledger.line_of("experiments", row["id"])
    found.unless(seq is None or seq < own, "trailer", where, f"it names line {seq}, its own row is line {own}")


def _trailers(commit: Commit, where: str, expected: dict[str, str], found: Findings) -> None:
    for key, value in expected.items():
        stored = commit.trailers.get(key)
        if stored != one_line(value, VALUE_LIMIT):
            found.add("trailer", where, f"{key} of its commit is {stored}, the database says {value}")


def _anchored(commit: Commit, where: str, ledger: Ledger, found: Findings) -> int | None:
    """The line of the ledger that the commit names, if the ledger holds it with that hash."""
    stored = commit.trailers.get("Council-Ledger", "")
    number, _, line = stored.partition(" ")
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        found.add("trailer", where, f"its commit names no line of the ledger: {stored or 'no Council-Ledger'}")
    elif int(number) not in ledger.hashes:
        found.add("trailer", where, f"its commit names ledger line {number}, which is gone")
    elif ledger.hashes[int(number)] != line:
        found.add("trailer", where, f"ledger line {number} is not the one that its commit names: it was written anew")
    else:
        ledger.anchored = max(ledger.anchored, int(number))
        return int(number)
    return None


def _end(
    store: Store,
    session: Row,
    end: str | None,
    commits: dict[str, Commit],
    ledger: Ledger,
    refs: Refs,
    found: Findings,
) -> None:
    """The end of a session: an empty commit that carries the head of the ledger."""
    name, ref = session["name"], f"refs/council/{session['name']}/end"
    if refs.before.get(ref) != end:
        return  # it ends at this moment
    ends = [ledger.line_of("session_ends", r["id"]) for r in store.rows("session_ends", session=session["id"])]
    if end is None:
        found.unless(not ends, "ref", ref, "the session has ended, and the ref that carries its ledger is missing")
        return
    commit = commits.get(end)
    if commit is None:
        found.add("commit", ref, f"it points to {end}, which is no commit")
        return
    on = commits.get(commit.parents[0]) if len(commit.parents) == 1 else None
    found.unless(on is not None and on.tree == commit.tree, "commit", ref, "it is not an empty commit of this session")
    seq = _anchored(commit, ref, ledger, found)
    if seq is not None and seq < max(ends, default=0):
        found.add("trailer", ref, f"it names ledger line {seq}; the session's end is line {max(ends)}")
    found.unless(bool(ends), "ref", name, "git says that the session has ended, the database does not")


def _branch(store: Store, session: Row, ledger: Ledger, refs: Refs, found: Findings) -> None:
    """The session's branch follows the book; only a run killed before its keep step may leave it one behind."""
    ref = f"refs/heads/council/{session['name']}"
    books = store.rows("books", order="id DESC", session=session["id"])
    if not books:
        found.unless(refs.points(ref, None) or refs.points(ref, session["commit"]), "branch", ref, "nothing is booked")
        return
    if refs.points(ref, books[0]["commit"]):
        return
    line, number = ledger.line_of("books", books[0]["id"]), books[0]["number"]
    earlier = [b["commit"] for b in books if b["number"] < number][:1] or [None]
    if _kept(store, session, books[0], line, ledger) or not refs.points(ref, earlier[0]):
        now = refs.after.get(ref, "nothing")
        found.add("branch", ref, f"it points to {now}, the book of x{number} to {books[0]['commit']}")


def _kept(store: Store, session: Row, book: Row, line: int, ledger: Ledger) -> bool:
    """Whether something was recorded after a book that only comes when the branch has followed it."""
    if any(
        ledger.line_of("session_ends", r["id"]) > line and r["exit_code"] == 0
        for r in store.rows("session_ends", session=session["id"])
    ):
        return True
    if any(
        ledger.line_of("settlements", r["id"]) > line
        for r in store.query("SELECT id FROM settlements WHERE session = ? ORDER BY id DESC LIMIT 1", session["id"])
    ):
        return True
    last = next(store.query("SELECT max(round) AS n FROM rounds WHERE session = ?", session["id"]))["n"]
    return bool(book["round"] and last and last > book["round"])


def strangers(refs: Refs, names: set[str], found: Findings) -> None:
    """Refs of sessions that the database does not hold."""
    for ref in refs.before:
        name = ref.removeprefix("refs/council/").removeprefix("refs/heads/council/").partition("/")[0]
        if name not in names:
            found.add("ref", ref, "the database holds no session of that name")
