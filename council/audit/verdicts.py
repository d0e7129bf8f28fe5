"""Verdicts and books: replayed from the measurements, in the order of the experiments' numbers.

Each step starts from the book as stored before it, so that one wrong row is one finding and not a cascade. Only the
last round may be unfinished; there a verdict may be missing, and the replay ends.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

from council import records
from council.audit.findings import Findings, same, setting
from council.baseline import WANTED
from council.closing import others, values
from council.judge import book as books
from council.judge import closing as closings
from council.settling import FAILED, TRIALS
from council.store import Row, Store
from council.types import Book, Kind, Role

RUNS = """
SELECT e.round, e.number, e.role, e."commit", e.parent, e.code, e.split, e.proposal, p.step, p.replaces,
       m.id AS measured, m.status, m.val_bpb, m.reason, m.s0, m.fingerprint, m.conditions
FROM experiments e LEFT JOIN measurements m ON m.session = e.session AND m.number = e.number
LEFT JOIN proposals p ON p.id = e.proposal
WHERE e.session = ? ORDER BY e.number
"""


def check(store: Store, session: Row, found: Findings) -> None:
    """Check the verdicts and books of a session."""
    replay = Replay(store, session, found)
    for row in replay.runs:
        with found.reading(f"{session['name']} x{row['number']}"):
            replay.step(row)
    replay.finish()


@dataclass
class Replay:
    """The state of a session's book as its rows say it, one experiment after the other."""

    store: Store
    session: Row
    found: Findings
    at: Row | None = None
    noise: list[Row] = field(default_factory=list)
    stopped: bool = False

    def __post_init__(self) -> None:
        sid = self.session["id"]
        self.runs = [self.store.decode("measurements", row) for row in self.store.query(RUNS, sid)]
        self.by_number = {row["number"]: row for row in self.runs}
        self.verdicts = {row["number"]: row for row in self.store.rows("verdicts", session=sid)}
        self.books = self.store.rows("books", session=sid)
        self.beliefs = {row["round"]: row["beliefs"] or {} for row in self.store.rows("tallies", session=sid)}
        self.closings = {row["inputs"]["numbers"][-1]: row for row in self.store.rows("closings", session=sid)}
        self.next = 0
        done = self.store.one("session_ends", order="id DESC", session=sid)
        rounds = self.store.one("rounds", order="round DESC", session=sid)
        last = max(rounds["round"] if rounds else 0, max((r["round"] for r in self.runs), default=0))
        self.finished = max(last - 1, done["rounds"] if done and done["exit_code"] == 0 else 0)
        """The last round that nothing may be missing from."""

    def step(self, row: Row) -> None:
        """One experiment: its verdict, and the books after it."""
        where = f"{self.session['name']} x{row['number']}"
        ok = row["status"] == "ok"
        if ok and row["role"] in records.NOISE_ROLES:
            self.noise.append(row)
        if row["status"] is None or self.stopped:
            last = row is self.runs[-1] or self.stopped or row["role"] == Role.CLOSING  # a closing may be given up
            self.found.unless(last, "experiment", where, "it was never measured, and others ran after it")
            return
        if row["role"] in TRIALS:
            self._trial(row, where)
        elif row["role"] == Role.REPLICATE and row["round"] > 0 and ok:
            self._replicate(row, where)
        elif row["role"] == Role.CLOSING:
            self._closing(row, where)
        while (book := self._peek()) and book["number"] == row["number"] and book["cause"] == "start":
            self._start(book, where)

    def finish(self) -> None:
        """Books that nothing led to."""
        for row in self.books[self.next :]:
            where = f"{self.session['name']} x{row['number']}"
            self.found.add("book", where, f"a book by {row['cause']} that no measurement led to")

    def _peek(self) -> Row | None:
        return self.books[self.next] if self.next < len(self.books) else None

    def _odd(self, row: Row) -> bool:
        """Whether a measurement cannot be compared with the booked baseline."""
        first = self.by_number.get(self.at["since"]) if self.at else None
        return bool(first and not _alike(first, row))

    def _sigma2(self, since: int) -> float:
        runs: dict[tuple[str, str], list[float]] = defaultdict(list)
        used = self._since(since)
        for row in used:
            runs[row["code"], row["split"]].append(row["val_bpb"])
        return books.pooled_variance(used[0]["s0"], runs.values())

    def _since(self, since: int) -> list[Row]:
        """Runs that inform σ from number `since` on, under the conditions of that run."""
        first = self.by_number[since]
        return [row for row in self.noise if row["number"] >= since and _alike(first, row)]

    def _trial(self, row: Row, where: str) -> None:
        stored = self.verdicts.get(row["number"])
        if stored is None:
            self.stopped = row["round"] > self.finished
            self.found.unless(self.stopped, "verdict", where, "it was measured and has no verdict")
            return
        if self.at is None:
            self.found.add("book", where, "it was judged before the baseline was booked")
            return
        before = records.book_of(self.at)
        if row["status"] != "ok" or self._odd(row):
            self._failed(row, stored, before, where)
            return
        sigma2 = self._sigma2(self.at["since"])
        keep = setting(self.session, "p_keep") or books.P_KEEP
        assert isinstance(keep, int | float), "the configuration says what p_keep is"
        score = self._score(row)
        judged = books.trial(before, sigma2, row["val_bpb"], score, row["commit"], keep)
        made, verdict = judged.book, judged.verdict
        computed = {
            "kind": verdict.kind.value,
            "bpb": verdict.bpb,
            "booked_before": verdict.booked_before,
            "delta": verdict.delta,
            "sigmas": verdict.sigmas,
            "score": score,
            "expected": verdict.expected,
            "belief": verdict.belief,
            "inputs": dict(verdict.inputs),
            "settles": 1,
            "round": row["round"],
        }
        self.found.compare("verdict", where, stored, computed)
        self._booked("trial", made, sigma2, row, where)

    def _score(self, row: Row) -> float | None:
        """What the council expected of a run when it voted; a late repair is judged by what was voted on."""
        voted = row["replaces"] if row["step"] == "late_repair" else row["proposal"]
        found = self.beliefs.get(row["round"], {}).get(str(voted))
        return None if found is None else float(found)

    def _failed(self, row: Row, stored: Row, before: Book, where: str) -> None:
        kind = Kind.VOID if row["status"] == "ok" else FAILED.get(row["status"], Kind.VOID)
        repaired = any(
            r["role"] == Role.REPAIR and r["round"] == row["round"] and r["number"] > row["number"]
            for r in self.runs[row["number"] : row["number"] + 8]
        )
        computed = {
            "kind": kind.value,
            "booked_before": before.b,
            "inputs": {"b": before.b, "v": before.v},
            "settles": int(kind is not Kind.VOID and not repaired),
            "round": row["round"],
            **dict.fromkeys(("bpb", "delta", "sigmas", "score", "expected", "belief")),
        }
        self.found.compare("verdict", where, stored, computed)

    def _replicate(self, row: Row, where: str) -> None:
        if self.at is None or self._odd(row):
            return
        before = records.book_of(self.at)
        if row["parent"] != before.commit:
            self.found.add("experiment", where, f"it repeats {row['parent']}, the incumbent is {before.commit}")
        sigma2 = self._sigma2(self.at["since"])
        same_code = [
            r for r in self._since(self.at["since"]) if (r["code"], r["split"]) == (self.at["code"], row["split"])
        ]
        base = [r["val_bpb"] for r in same_code] if before.commit == self.session["commit"] else []
        if (book := self._peek()) is None or book["number"] != row["number"]:
            self.stopped = row["round"] > self.finished
            self.found.unless(self.stopped, "book", where, "it was measured and moved no book")
            return
        self._booked("replicate", books.replicate(before, sigma2, row["val_bpb"], base), sigma2, row, where)

    def _closing(self, row: Row, where: str) -> None:
        """The last run of a closing: σ with its pairs pooled in enters the book, which does not move otherwise."""
        book, row_of = self._peek(), self.closings.get(row["number"])
        booked = book is not None and (book["number"], book["cause"]) == (row["number"], "closing")
        self.found.unless(booked == (row_of is not None), "closing", where, "a closing and its book do not go together")
        if row_of is None or self.at is None or not booked:
            return
        pooled, own = self._pairs(row_of["inputs"].get("pooled", ())), self._pairs(row_of["inputs"]["pairs"])
        plan = closings.Plan((len(own),), row_of["inputs"]["level"])
        earlier = others(self.store, self.at, pooled, own)
        closed = closings.close(*values([*pooled, *own]), own[0][0]["s0"], earlier, plan, len(pooled))
        computed = {
            "pairs": closed.pairs,
            "gain": closed.gain,
            "low": closed.low,
            "sigma": closed.sigma,
            "confirmed": int(closed.confirmed),
            "inputs": {**row_of["inputs"], "freedom": closed.freedom, "commit": self.at["commit"]},
        }
        self.found.compare("closing", where, row_of, computed)
        self._booked("closing", records.book_of(self.at), closed.sigma**2, row, where)

    def _pairs(self, numbers: list[list[int]]) -> list[tuple[Row, Row]]:
        return [(self.by_number[base], self.by_number[mine]) for base, mine in numbers]

    def _start(self, stored: Row, where: str) -> None:
        """The book opens: on two runs of the baseline, and two of an incumbent that is measured again."""
        since, last = stored["since"], self.by_number[stored["number"]]
        first = self.by_number.get(since)
        base = [r for r in self.noise if r["role"] == Role.BASELINE and r["number"] >= since and first]
        base = [r for r in base if _alike(first or r, r)][:WANTED]
        if len(base) < WANTED or base[0]["number"] != since:
            self.found.add("book", where, f"it opens on {len(base)} runs of the baseline from x{since}")
            self.at, self.next = stored, self.next + 1
            return
        sigma2 = self._sigma2(since)
        made = books.start(self.session["commit"], [r["val_bpb"] for r in base], sigma2)
        if self.at and self.at["commit"] != self.session["commit"]:
            mine = [r for r in self.noise if r["role"] == Role.REPLICATE and r["round"] == 0 and r["number"] > since]
            values = [r["val_bpb"] for r in mine if _alike(last, r)][-WANTED:]
            variance = sigma2 / len(values)
            made = Book(self.at["commit"], sum(values) / len(values), variance, made.b_base, made.v_base)
        self._booked("start", made, sigma2, last, where, since)

    def _booked(self, cause: str, made: Book, sigma2: float, row: Row, where: str, since: int | None = None) -> None:
        """Compare the stored rows with a book and with going back from it; go on from what is stored."""
        since = since if since is not None or self.at is None else self.at["since"]
        returned = books.back(made, self.session["commit"])
        for expected, why in ((made, cause), (returned, "back")):
            if expected is None:
                continue
            stored = self._peek()
            if stored is None or (stored["number"], stored["cause"]) != (row["number"], why):
                self.found.add("book", where, f"there is no book by {why} after it")
                continue
            computed = {
                "commit": expected.commit,
                "b": expected.b,
                "v": expected.v,
                "b_base": expected.b_base,
                "v_base": expected.v_base,
                "sigma": math.sqrt(sigma2),
                "since": since,
                "round": row["round"],
                "code": self._code(expected.commit, row),
            }
            self.found.compare("book", where, stored, computed)
            self.at, self.next = stored, self.next + 1

    def _code(self, commit: str, row: Row) -> str:
        """The fingerprint under which a commit was first booked, else that of what ran."""
        return next((b["code"] for b in reversed(self.books[: self.next]) if b["commit"] == commit), row["code"])


def _alike(one: Row, other: Row) -> bool:
    """Whether two measurements were made on the same data under the same conditions."""
    return same([one["fingerprint"], one["conditions"]], [other["fingerprint"], other["conditions"]])
