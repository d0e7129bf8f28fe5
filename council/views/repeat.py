"""How to repeat a session: its commit, seed, versions, conditions, data and configuration.

What a run of the same code under the same conditions needs, read from the rows the session itself wrote. How to extend:
a new fact is a field.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from council.views import sessions

if TYPE_CHECKING:
    from council.store import Store


@dataclass(frozen=True)
class Repeat:
    """Everything a repetition needs. `head` is the last line of the ledger when this was read."""

    session: str
    commit: str
    best: str | None
    seed: str
    budget: float | None
    versions: dict[str, str]
    conditions: dict[str, Any]
    data: dict[str, Any]
    sandbox: str
    config: dict[str, Any]
    program: str
    ledger: int
    head: str

    def as_json(self) -> dict[str, object]:
        """Plain data for machines."""
        return asdict(self)


def read(store: Store, name: str | None = None) -> Repeat:
    """How to repeat the named session, or the last one."""
    session = sessions.find(store, name)
    measured = store.one("measurements", order="number DESC", session=session["id"], status="ok")
    book = store.one("books", order="id DESC", session=session["id"])
    lines, head = store.head()
    return Repeat(
        session=session["name"],
        commit=session["commit"],
        best=book["commit"] if book else None,
        seed=session["seed"],
        budget=session["budget"],
        versions=session["versions"],
        conditions=measured["conditions"] if measured else {},
        data=_data(measured["fingerprint"]) if measured else {},
        sandbox=measured["sandbox"] if measured else "",
        config=session["config"],
        program=session["program"],
        ledger=lines,
        head=head,
    )


def _data(fingerprint: str) -> dict[str, Any]:
    """The fingerprint of the data, which the lab writes as JSON."""
    try:
        found = json.loads(fingerprint)
    except ValueError:
        found = fingerprint
    return found if isinstance(found, dict) else {"fingerprint": fingerprint}
