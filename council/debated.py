"""The debate as a judge may see it: what was said of a proposal and what its author answered, without names.

What: `said_of` gives, for a proposal that stands, the texts of its comments and of the answer. Why: a judge should know
an objection before it forecasts. Comments stand in the order of their texts, which tells nobody's name. A label in one
holds on its writer's slate alone, so it becomes the label on the reader's. How to extend: read only rows that were
written before the vote, so that the same slate can be made again from the store.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from council.room import Room
from council.store import Row

_LABEL = re.compile(r"\b(?i:the )?(?i:proposal|label|option|edit|comment) ([A-Z]{1,2})\b")


def said_of(
    room: Room, round_: int, proposal: int, standing: Mapping[int, Row], labels: Mapping[int, str]
) -> tuple[tuple[str, ...], str]:
    """(comments, answer) on a standing proposal or on the version it revises, as the reader of `labels` sees them."""
    key: Row = {"session": room.sid, "round": round_}
    versions = {proposal, standing[proposal]["replaces"]}
    slates = {row["judge"]: dict(row["shown"]) for row in room.store.rows("slates", step="debate", **key)}
    heir = {row["replaces"]: p for p, row in standing.items() if row["replaces"]}

    def name(critic: str, label: str) -> str | None:
        meant = slates.get(critic, {}).get(label)
        if meant is None:
            return None
        if meant in versions:
            return "this proposal"
        seen = labels.get(heir.get(meant, meant))
        return f"Proposal {seen}" if seen else "another proposal"

    def told(row: Row) -> str:
        return _LABEL.sub(lambda found: name(row["member"], found[1]) or found[0], row["text"])

    comments = sorted(told(row) for row in room.store.rows("critiques", **key) if row["proposal"] in versions)
    answers = [row["text"] for row in room.store.rows("responses", **key) if row["proposal"] in versions]
    return tuple(comments), answers[-1] if answers and comments else ""
