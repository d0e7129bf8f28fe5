"""A process that dies at a chosen moment, without a process: for tests of what a resumed session makes of it.

What: `Fault(k, where)` ends the run at the k-th commit of the database (before it or right after), at the k-th row, or
at the k-th call of git; from then on nothing can be written, as after a kill. `outcome` is what must not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from council import session
from council.repo import Repo
from council.store import Store
from tests.helpers import Night, git

IGNORED = {"at", "seconds", "total_seconds", "config"}
LEFT_OUT = ("session_ends",)


class Killed(BaseException):
    """The process is gone."""


class Fault:
    """Counts moments of one kind and dies at the k-th; k = 0 never dies, only counts."""

    def __init__(self, k: int, where: str) -> None:
        self.k, self.where, self.count, self.dead = k, where, 0, False

    def moment(self, where: str) -> None:
        if self.dead:
            raise Killed
        if where == self.where:
            self.count += 1
            if self.count == self.k:
                self.dead = True
                raise Killed

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Let the next session die of this."""
        fault, call = self, Repo.call

        class Mortal(Store):
            depth = 0

            @contextmanager
            def atomic(self) -> Iterator[None]:
                fault.moment("")
                with super().atomic():
                    self.depth += 1
                    try:
                        yield
                    finally:
                        self.depth -= 1
                    if not self.depth:
                        fault.moment("before a commit")
                if not self.depth:
                    fault.moment("after a commit")

            def insert(self, tbl: str, row: Any) -> int:
                fault.moment("at a row")
                return super().insert(tbl, row)

        def mortal(repo: Repo, *arguments: Any, **options: Any) -> Any:
            fault.moment("at git")
            return call(repo, *arguments, **options)

        patch.setattr(session, "Store", Mortal)
        patch.setattr(Repo, "call", mortal)


def outcome(lab: Night) -> dict[str, list[tuple]]:
    """All rows that matter, without times and settings; a commit is named by its experiment, a row by its place."""
    names = {row["commit"]: f"x{row['number']}" for row in lab.rows("experiments")}
    names[lab.one("sessions")["commit"]] = "start"
    found = {}
    for tbl in sorted({row["tbl"] for row in lab.rows("ledger", "seq")} - set(LEFT_OUT)):
        rows = [{k: names.get(str(v), v) for k, v in row.items() if k not in IGNORED} for row in lab.rows(tbl)]
        found[tbl] = [tuple(sorted((k, repr(v)) for k, v in row.items())) for row in rows]
    found["branch"] = [(names[lab.refs()["refs/heads/council/k"]],)]
    found["refs"] = sorted((names[c], name) for name, c in lab.refs().items() if name.startswith("refs/council/k/x"))
    found["source"] = [(git(lab.root, "show", "council/k:lab/train.py"),)]
    return found
