"""A whole session for someone who was asleep: what happened and was kept, what failed, what it cost, how to repeat it.

Puts the other views together and adds the three sentences a reader sees first. How to extend: a new section is a view
of its own and a field here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from council.views import costs, failures, leaderboard, repeat, sentences, sessions, staircase, status
from council.views.costs import Costs
from council.views.failures import Failures
from council.views.leaderboard import Leaderboard
from council.views.repeat import Repeat
from council.views.sessions import Row
from council.views.staircase import Staircase
from council.views.status import Kept, Status
from council.views.words import bpb, clean, count, duration, plural, probability, spent

if TYPE_CHECKING:
    from council.store import Store


@dataclass(frozen=True)
class Edit:
    """A kept edit with its diff, and every later run of the same code: (experiment, role, BPB or None)."""

    kept: Kept
    hypothesis: str
    family: str
    diff: str
    again: tuple[tuple[int, str, float | None], ...]


@dataclass(frozen=True)
class Night:
    """One session in full."""

    status: Status
    staircase: Staircase
    edits: tuple[Edit, ...]
    board: Leaderboard
    failures: Failures
    costs: Costs
    repeat: Repeat
    proposals: int
    replicates: int

    def as_json(self) -> dict[str, object]:
        """Plain data for machines."""
        return {
            "sentences": summary(self),
            "status": self.status.as_json(),
            "staircase": self.staircase.as_json(),
            "kept": [asdict(edit) for edit in self.edits],
            "leaderboard": self.board.as_json(),
            "failures": self.failures.as_json(),
            "costs": self.costs.as_json(),
            "repeat": self.repeat.as_json(),
        }


def read(store: Store, name: str | None = None) -> Night:
    """The named session, or the last one."""
    session = sessions.find(store, name)
    found = status.read(store, session["name"])
    return Night(
        status=found,
        staircase=staircase.read(store, session["name"]),
        edits=_edits(store, session["id"], found.kept),
        board=leaderboard.read(store, session["name"]),
        failures=failures.read(store, session["name"]),
        costs=costs.read(store, session["name"]),
        repeat=repeat.read(store, session["name"]),
        proposals=proposals(store, session["id"]),
        replicates=found.replicates,
    )


def proposals(store: Store, session: int) -> int:
    """How many proposals a session has, repairs and revisions not counted."""
    sql = "SELECT count(*) AS n FROM proposals WHERE session = ? AND [replaces] IS NULL"
    return int(next(store.query(sql, session))["n"])


_AGAIN = (
    "SELECT e.number, e.role, e.code, m.val_bpb FROM experiments e "
    "JOIN measurements m ON m.session = e.session AND m.number = e.number "
    "WHERE e.session = ? AND e.role = 'replicate' ORDER BY e.number"
)


def _edits(store: Store, session: int, kept: tuple[Kept, ...]) -> tuple[Edit, ...]:
    again: dict[str, list[Row]] = defaultdict(list)
    for row in store.query(_AGAIN, session):
        again[row["code"]].append(row)
    sql = (
        "SELECT e.code, coalesce(p.hypothesis, '') AS hypothesis, coalesce(p.family, '') AS family, "
        "coalesce(p.diff, '') AS diff FROM experiments e LEFT JOIN proposals p ON p.id = e.proposal "
        "WHERE e.session = ? AND e.number = ?"
    )
    found = []
    for one in kept:
        row = next(store.query(sql, session, one.number))
        later = tuple((r["number"], r["role"], r["val_bpb"]) for r in again[row["code"]] if r["number"] > one.number)
        found.append(Edit(one, row["hypothesis"], row["family"], row["diff"], later))
    return tuple(found)


def summary(night: Night) -> list[str]:
    """Three sentences: what ran, what came out and how sure that is, who did it and what it cost."""
    return told(night.status, night.costs, night.proposals)


def told(found: Status, paid: Costs, proposals: int) -> list[str]:
    """The same for a face that has not read the whole night."""
    if found.booked is None and found.ended is None:
        return _begins(found, paid)
    return [_ran(found, paid, proposals), _came_out(found), _paid(found, paid)]


def _begins(found: Status, paid: Costs) -> list[str]:
    """Of a session that has not booked its baseline yet: it may be running, or have been cut off there."""
    ended = f"{plural(paid.experiments, 'run')} of it {'has' if paid.experiments == 1 else 'have'} ended"
    begun = f"experiment {found.running.number} has begun" if found.running else ""
    parts = [part for part in (ended if paid.experiments else "", begun) if part]
    said = [f"The baseline is measured first: {' and '.join(parts) or 'its first run has not begun'}."]
    who = f"{plural(len(found.members), 'member')} {'takes' if len(found.members) == 1 else 'take'} part"
    said.append(f"{who}; the first round begins once the baseline is booked.")
    if paid.calls:
        said.append(f"{plural(paid.calls, 'call')} cost {spent(paid.cost_usd, paid.unanswered_usd)}.")
    return said


def _ran(found: Status, paid: Costs, proposals: int) -> str:
    ended = {"keep": "kept", "discard": "discarded", "crash": "crashed"}
    parts = [
        f"{n} {ended.get(kind, kind)}" for kind in sentences.KINDS if kind != "void" and (n := found.verdicts.get(kind))
    ]
    listed = f": {', '.join(parts)}" if parts else ""
    who = plural(len(found.members), "member")
    return (
        f"In {plural(found.rounds_done, 'round')} over {duration(paid.wall)}, {who} made "
        f"{plural(proposals, 'proposal')} and {plural(paid.experiments, 'experiment')} ran{listed}."
    )


def _came_out(found: Status) -> str:
    book = found.booked
    if book is None:
        return "The baseline was not measured, so nothing can be compared."
    if book.is_baseline:
        undone = len(found.kept)
        why = f"; {plural(undone, 'kept edit')} did not hold when measured again" if undone else ""
        return f"Nothing is booked below the baseline of {bpb(book.baseline)} ± {bpb(book.baseline_sd)} BPB{why}."
    gain = f"{book.gain:.5f} BPB" + ("" if book.sigmas is None else f" ({book.sigmas:.1f} σ)")
    sure = sentences.confirmation(book)
    if not book.pairs:
        sure += ": no fresh pairs of runs have tested it"
    return (
        f"The best code is booked at {bpb(book.best)} ± {bpb(book.best_sd)} BPB, {gain} below the baseline of "
        f"{bpb(book.baseline)}, {sure}."
    )


def _paid(found: Status, paid: Costs) -> str:
    standing = Counter(edit.member for edit in found.kept if edit.standing)
    who = ""
    if standing:
        best = sorted(standing.items(), key=lambda pair: (-pair[1], pair[0]))
        most = [clean(name, 40) for name, n in best if n == best[0][1]]
        share = _share(best[0][1], sum(standing.values()))
        who = f"{' and '.join(most[:3])}{' each' if len(most) > 1 else ''} wrote {share} standing "
        who += f"{_edit(sum(standing.values()))}; "
    busy = probability(min(1.0, paid.device / paid.wall)) if paid.wall else "–"
    calls = f"{count(paid.calls)} calls cost {spent(paid.cost_usd, paid.unanswered_usd)}"
    bill = calls if paid.calls else "no language model was called, so it cost nothing"
    said = f"{who}{bill}, and the device was busy for {busy} of the time."
    return said if standing else said[0].upper() + said[1:]


def _share(n: int, of: int) -> str:
    """How much of what stands: the only edit, all of several, or some."""
    if of == 1:
        return "the only"
    return f"all {of}" if n == of else f"{n} of the {of}"


def _edit(n: int) -> str:
    return "edit" if n == 1 else "edits"
