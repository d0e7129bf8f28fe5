"""An autoresearch log as a read-only session: `results.tsv` with commit, val_bpb, memory_gb, status, description.

Such a log holds one run per edit and no runs of equal code, so it cannot say what noise is unless a commit stands in it
twice. Then the scatter of discarded edits gives a bound: if none of them did anything, the noise were that large; since
some did harm, it is smaller. `--noise` says it outright, and has to where the log says nothing. The first measured line
is the baseline. Nothing here settles: there were no forecasts. How to extend: another log format is another `parse`.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, median

from council.errors import UsageError
from council.store import Row, Store, now

COLUMNS = ("commit", "val_bpb", "memory_gb", "status", "description")
STATUSES = ("keep", "discard", "crash")
MEMBER = "autoresearch"
LEAST_SCATTER = 5
"""Fewer discarded edits say nothing about the noise."""
Z = 1.645
_COMMIT = re.compile(r"[0-9a-zA-Z]{4,40}")


@dataclass(frozen=True)
class Line:
    """One line of the log, by its number in the file; `bpb` is None for a crash."""

    number: int
    commit: str
    bpb: float | None
    status: str
    description: str


@dataclass(frozen=True)
class Noise:
    """σ in BPB, where it comes from (given, repeats, scatter, unknown), and whether it is only an upper bound."""

    sigma: float | None
    source: str
    runs: int = 0

    @property
    def bound(self) -> bool:
        """Whether the true noise is probably smaller."""
        return self.source == "scatter"


@dataclass(frozen=True)
class Gain:
    """A kept edit: how far below the best before it, in BPB and in standard errors of a difference of two runs."""

    line: Line
    gain: float
    errors: float | None
    word: str


def parse(text: str) -> tuple[list[Line], list[tuple[int, str]]]:
    """(the lines that can be read, (number, complaint) of the others)."""
    found: list[Line] = []
    faults: list[tuple[int, str]] = []
    # not splitlines(): a form feed, a lone CR or a U+2028 in a description ends no line; strip() takes the CR of CRLF
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if not raw.strip():
            continue
        cells = [cell.strip() for cell in raw.split("\t")]
        if number == 1 and cells[0].lower() == "commit":
            continue
        line = _line(number, cells)
        if isinstance(line, Line):
            found.append(line)
        else:
            faults.append((number, line))
    return found, faults


def _line(number: int, cells: list[str]) -> Line | str:
    if len(cells) != len(COLUMNS):
        return f"it has {len(cells)} columns, not {len(COLUMNS)} ({', '.join(COLUMNS)})"
    commit, bpb, memory, status, description = cells
    if not _COMMIT.fullmatch(commit):
        return f"{commit[:40]!r} is no commit"
    if status not in STATUSES:
        return f"the status is {status[:40]!r}, not {', '.join(STATUSES)}"
    values = []
    for name, cell in (("val_bpb", bpb), ("memory_gb", memory)):
        try:
            values.append(float(cell))
        except ValueError:
            return f"{name} is {cell[:40]!r}, not a number"
    if not all(math.isfinite(v) and v >= 0 for v in values) or (status != "crash" and values[0] == 0):
        return f"val_bpb is {bpb}, which no run measures"
    return Line(number, commit.lower(), None if status == "crash" else values[0], status, description)


def noise(lines: Sequence[Line], given: float | None = None) -> Noise:
    """What the log, or its owner, says of the noise of one run."""
    if given is not None:
        return Noise(given, "given")
    runs: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        if line.bpb is not None:
            runs[line.commit].append(line.bpb)
    again = [values for values in runs.values() if len(values) > 1]
    if again:
        squares = sum((x - sum(v) / len(v)) ** 2 for v in again for x in v)
        return Noise(math.sqrt(squares / sum(len(v) - 1 for v in again)), "repeats", sum(map(len, again)))
    apart = [abs(d) for line, d in _steps(lines) if line.status == "discard"]
    if len(apart) < LEAST_SCATTER:
        return Noise(None, "unknown")
    # d of an edit that does nothing is the difference of two runs: N(0, 2σ²), whose median |d| is .6745 √2 σ
    return Noise(median(apart) / (NormalDist().inv_cdf(0.75) * math.sqrt(2)), "scatter", len(apart))


def _steps(lines: Sequence[Line]) -> list[tuple[Line, float]]:
    """Every measured line after the first with how far it is below the kept best before it; repeats left out."""
    best, seen, found = None, set(), []
    for line in lines:
        if line.bpb is None or line.commit in seen:
            continue
        seen.add(line.commit)
        if best is not None:
            found.append((line, best - line.bpb))
        if best is None or line.status == "keep":
            best = line.bpb
    return found


def gains(lines: Sequence[Line], sigma: float | None) -> list[Gain]:
    """The kept edits, and whether each gain exceeds the noise of one comparison, and of the best of so many tries."""
    steps = _steps(lines)
    many = NormalDist().inv_cdf(1 - 0.05 / max(1, len(steps)))
    found = []
    for line, gain in steps:
        if line.status == "keep":
            errors = gain / (sigma * math.sqrt(2)) if sigma else None
            word = "unknown" if errors is None else "exceeds" if errors > many else "once" if errors > Z else "within"
            found.append(Gain(line, gain, errors, word))
    return found


def check(file: str, lines: Sequence[Line], said: Noise, hint: str, *, needed: bool) -> None:
    """Refuse what would be of no use as a session, which cannot be removed: no run, or `needed` noise that is unknown.

    `hint` says how to name the noise. Raises UsageError.
    """
    if all(line.bpb is None for line in lines):
        raise UsageError(
            f"{file} holds no measured line",
            kept="Nothing was recorded.",
            hint=f"A line is {', '.join(COLUMNS)}, with a tab between each two.",
        )
    if needed and not said.sigma:
        raise UsageError(
            f"{file} does not say what noise is: it holds no two different runs of one commit and fewer than "
            f"{LEAST_SCATTER} discarded edits that measured something else",
            kept="Nothing was recorded.",
            hint=hint,
        )


def session_of(store: Store, name: str, file: str, text: str, lines: Sequence[Line], said: Noise) -> int:
    """Record the lines as a session that has ended; returns its id. Raises UsageError if the name is taken."""
    if store.one("sessions", name=name):
        raise UsageError(f"the session {name} exists", hint="Choose another: council import --session NAME")
    measured = [line for line in lines if line.bpb is not None]
    first = lines.index(measured[0])
    mark = {"file": file, "sha256": hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()}
    row: Row = {
        "name": name, "at": now(), "seed": "imported", "commit": measured[0].commit,
        "config": {"imported": {**mark, "noise": said.sigma, "source": said.source}},
        "program": "", "budget": None, "versions": {},
    }  # fmt: skip
    with store.atomic():
        session = store.insert("sessions", row)
        member = {"session": session, "name": MEMBER, "kind": "imported", "options": {}, "votes": False}
        store.insert("members", member)
        _rows(store, session, lines[first:], said.sigma or 0.0, mark)
        store.insert(
            "session_ends",
            {
                "session": session, "at": now(), "reason": f"imported from {file}", "exit_code": 0,
                "rounds": len(lines) - first - 1, "summary": {"confirmed": None},
            },
        )  # fmt: skip
    return session


def _rows(store: Store, session: int, lines: Sequence[Line], sigma: float, mark: Row) -> None:
    """Experiments, measurements, verdicts as the log gives them, and a book that follows its kept lines."""
    base, seen, book, best = lines[0], set[str](), 0, lines[0]
    for index, line in enumerate(lines):
        where = {"session": session, "round": index, "number": index + 1}
        role = "baseline" if index == 0 else "replicate" if line.commit in seen else "trial"
        seen.add(line.commit)
        proposal = None
        if index:
            opened = {"session": session, "round": index, "at": now(), "parent": best.commit, "book": book}
            store.insert("rounds", opened)
        if role == "trial":
            proposal = _proposal(store, session, index, line)
        store.insert(
            "experiments",
            {
                **where, "role": role, "at": now(), "commit": line.commit, "parent": best.commit,
                "proposal": proposal, "code": line.commit, "sha256": "", "seed": 0, "split": "validation",
            },
        )  # fmt: skip
        store.insert(
            "measurements",
            {
                "session": session, "number": index + 1, "at": now(), "status": "ok" if line.bpb else "crash",
                "val_bpb": line.bpb, "reason": "" if line.bpb else "its log says crash", "s0": sigma,
                "fingerprint": f"imported {mark['sha256'][:16]}", "conditions": {"imported": mark["file"]},
                "sandbox": "none", "train_seconds": 0.0, "total_seconds": 0.0, "raw": {},
            },
        )  # fmt: skip
        if role == "trial":
            _verdict(store, where, line, best, sigma)
        if index == 0 or (role == "trial" and line.status == "keep"):
            best = line
            assert best.bpb is not None and base.bpb is not None, "only what was measured is kept"
            values = {"b": best.bpb, "v": sigma**2, "b_base": base.bpb, "v_base": sigma**2, "sigma": sigma}
            cause = "trial" if index else "start"
            codes = {"commit": best.commit, "code": best.commit, "since": 1}
            book = store.insert("books", {**where, "at": now(), "cause": cause, **codes, **values})


def _proposal(store: Store, session: int, round_: int, line: Line) -> int:
    row: Row = {
        "session": session, "round": round_, "step": "propose", "member": MEMBER, "attempt": 1, "at": now(),
        "title": line.description[:120], "hypothesis": line.description, "family": "other",
        "edit": {"path": "", "whole": None, "blocks": []}, "forecast": 0.5,
    }  # fmt: skip
    return store.insert("proposals", row)


def _verdict(store: Store, where: Row, line: Line, best: Line, sigma: float) -> None:
    delta = None if line.bpb is None or best.bpb is None else best.bpb - line.bpb
    row: Row = {
        **where, "at": now(), "kind": line.status, "reason": f"its log says {line.status}", "bpb": line.bpb,
        "booked_before": best.bpb, "delta": delta, "sigmas": delta / sigma if delta is not None and sigma else None,
        "inputs": {}, "settles": False,
    }  # fmt: skip
    store.insert("verdicts", row)
