"""A round's debate and its settling: per proposal the thread of versions, critiques and answer; forecasts and outcomes.

How to extend: a new kind of contribution is a query here and an Entry of its own kind.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from council.views import sessions
from council.views.labels import assign

if TYPE_CHECKING:
    from council.store import Store


@dataclass(frozen=True)
class Entry:
    """One contribution to a thread: `kind` is proposal, repair, revision, refused, critique or answer."""

    kind: str
    member: str
    at: float
    text: str


@dataclass(frozen=True)
class Thread:
    """Everything said about the proposal behind one letter, in the order in which it was said."""

    label: str
    member: str
    title: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Settled:
    """One forecast of what ran, and its score."""

    judge: str
    p: float
    own: bool
    outcome: int
    brier: float


def threads(store: Store, round_: int, name: str | None = None) -> tuple[Thread, ...]:
    """The threads of a round of the named session, or of the last one."""
    key = {"session": sessions.find(store, name)["id"], "round": round_}
    labels = assign(store.rows("proposals", **key))
    versions = {row["id"]: index for rows in labels.versions.values() for index, row in enumerate(rows)}
    entries: dict[str, list[tuple[int, int, Entry]]] = defaultdict(list)
    for label, rows in labels.versions.items():
        for row in rows:
            kind = "proposal" if row["replaces"] is None else "revision" if "repair" not in row["step"] else "repair"
            entries[label].append((versions[row["id"]], 0, Entry(kind, row["member"], row["at"], row["hypothesis"])))
    said = [(check, "refused", "", check["reason"]) for check in store.rows("checks", valid=0, **key)]
    said += [(row, "critique", row["member"], row["text"]) for row in store.rows("critiques", **key)]
    said += [(row, "answer", row["member"], row["text"]) for row in store.rows("responses", **key)]
    for row, kind, member, text in said:
        if of := labels.name(row["proposal"]):
            place = ("refused", "critique", "answer").index(kind) + 1
            entries[of].append((versions[row["proposal"]], place, Entry(kind, member, row["at"], text)))
    return tuple(
        Thread(label, rows[0]["member"], rows[-1]["title"], _in_order(entries[label]))
        for label, rows in labels.versions.items()
    )


def _in_order(found: list[tuple[int, int, Entry]]) -> tuple[Entry, ...]:
    """What was said of each version before the next one; moments alone are too coarse to tell."""
    return tuple(entry for *_, entry in sorted(found, key=lambda place: (*place[:2], place[2].at)))


def settled(store: Store, round_: int, name: str | None = None) -> tuple[Settled, ...]:
    """The settled forecasts of a round, the best first."""
    rows = store.rows("settlements", order="brier, judge", session=sessions.find(store, name)["id"], round=round_)
    return tuple(Settled(r["judge"], r["p"], bool(r["own"]), r["outcome"], r["brier"]) for r in rows)


def as_json(found: tuple[Thread, ...], scores: tuple[Settled, ...]) -> dict[str, object]:
    """Plain data for machines."""
    return {"threads": [asdict(t) for t in found], "settled": [asdict(s) for s in scores]}
