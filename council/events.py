"""What a running session tells its faces.

The session emits events; a face (plain lines, JSON lines, later a live view) is any callable that takes one.
Events are for eyes only: nothing reads them back, the database alone is true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """One thing that happened. `kind` is one of KINDS, `text` one plain line, `data` the same for machines."""

    kind: str
    text: str
    round: int | None = None
    step: str | None = None
    member: str | None = None
    data: Mapping[str, object] = field(default_factory=dict)


KINDS = ("session", "round", "step", "member", "progress", "verdict", "warning", "end")
"""session and end open and close a run; progress is transient (seconds, loss) and may be dropped by a face."""

Emit = Callable[[Event], None]


def silent(event: Event) -> None:
    """The face that shows nothing."""
