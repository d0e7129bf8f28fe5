"""What an audit says: problems, each with its kind, where it is and what it is; and the report that lists them.

Text from the database is cut and stripped of control characters before it gets into a problem: an auditor's terminal is
no place for a member's escapes. A check that meets something it cannot read is itself a finding, never a traceback.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from council.repo_text import one_line

WHAT_LIMIT = 300
WHERE_LIMIT = 120
PER_KIND = 100
"""How many problems of one kind are listed; the rest is counted."""


@dataclass(frozen=True)
class Problem:
    """One thing that does not add up."""

    kind: str
    where: str
    what: str


@dataclass(frozen=True)
class Report:
    """What was audited and what was found. `head` is the ledger's last line: its number and its hash.

    In `imported` of the sessions nothing was measured here: they are another program's logs.
    """

    ok: bool
    sessions: int
    rounds: int
    calls: int
    head: str
    problems: tuple[Problem, ...]
    imported: int = 0


class Findings:
    """Collects problems."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._counts: Counter[str] = Counter()

    def add(self, kind: str, where: str, what: str) -> None:
        """Note a problem."""
        self._counts[kind] += 1
        if self._counts[kind] <= PER_KIND:
            self._problems.append(Problem(kind, one_line(where, WHERE_LIMIT), one_line(what, WHAT_LIMIT)))

    def unless(self, fine: bool, kind: str, where: str, what: str) -> None:
        """Note a problem unless all is fine."""
        if not fine:
            self.add(kind, where, what)

    def compare(self, kind: str, where: str, stored: dict[str, object], computed: dict[str, object]) -> None:
        """Note the values that differ from what they are computed to be."""
        for name, value in computed.items():
            if not same(stored.get(name), value):
                self.add(kind, where, f"{name} is {_short(stored.get(name))}, computed {_short(value)}")

    def reading(self, where: str) -> Reading:
        """Whatever goes wrong inside, because a row is not as it must be, is a problem of `where`."""
        return Reading(self, where)

    def told(self) -> dict[str, object]:
        """What was found, as JSON can carry it to another process."""
        return {"problems": [[p.kind, p.where, p.what] for p in self._problems], "counts": self._counts}

    def take(self, told: Mapping[str, Any]) -> None:
        """Add what another process found, all or nothing. Raises ValueError if it is not what `told` gives."""
        try:
            problems = [(str(kind), str(where), str(what)) for kind, where, what in told["problems"]]
            counts = Counter({str(kind): int(n) for kind, n in told["counts"].items()})
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"these are no findings: {error}") from error
        for problem in problems:
            self.add(*problem)
        listed = Counter(kind for kind, _, _ in problems)
        self._counts += counts - listed

    def report(self) -> tuple[Problem, ...]:
        """All problems, in the order found; of each kind the first ones, then how many more there are."""
        more = [(kind, n - PER_KIND) for kind, n in self._counts.items() if n > PER_KIND]
        return (*self._problems, *(Problem(kind, "…", f"and {n} more of this kind") for kind, n in more))


class Reading:
    """What `Findings.reading` gives; a class, since a long night enters it half a million times."""

    __slots__ = ("_found", "_where")

    def __init__(self, found: Findings, where: str) -> None:
        self._found = found
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, Exception):
            return False
        self._found.add("unreadable", self._where, f"{type(error).__name__}: {error}")
        return True  # a tampered database may break any expectation


def same(stored: object, computed: object) -> bool:
    """Equal; numbers within 1e-12 of each other, also inside objects and lists."""
    if isinstance(stored, dict) and isinstance(computed, dict):
        return stored.keys() == computed.keys() and all(same(stored[k], computed[k]) for k in stored)
    if isinstance(stored, list | tuple) and isinstance(computed, list | tuple):
        return len(stored) == len(computed) and all(map(same, stored, computed))
    if isinstance(stored, int | float) and isinstance(computed, int | float):
        return math.isclose(stored, computed, rel_tol=1e-12, abs_tol=1e-15)
    return stored == computed


def setting(session: Mapping[str, object], key: str) -> object:
    """What a session's configuration says of the judge under a key; None if it says nothing."""
    config = json.loads(str(session["config"]))
    return (config.get("judge") or {}).get(key)


def _short(value: object) -> str:
    return one_line(str(value), 80)
