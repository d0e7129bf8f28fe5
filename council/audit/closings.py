"""Closings: which runs a claimed gain stands on. The numbers themselves are computed anew in `verdicts`.

A closing run is of the baseline or of the booked best, on the vault, which no other run may see; pairs alternate in
order; none is run for two closings. Every further look at the same two codes counts all their pairs so far, at the
level of that look. The ref `best` is at what was last confirmed.
"""

from __future__ import annotations

from council.audit.chain import Ledger
from council.audit.findings import Findings, same
from council.audit.history import Refs
from council.judge import closing as rule
from council.store import Row, Store
from council.types import Role

RUNS = """
SELECT e.id, e.round, e.number, e.role, e.parent, e.split, m.status, m.fingerprint, m.conditions FROM experiments e
LEFT JOIN measurements m ON m.session = e.session AND m.number = e.number WHERE e.session = ? ORDER BY e.number
"""


def check(store: Store, session: Row, ledger: Ledger, refs: Refs, found: Findings) -> None:
    """Check the splits, the pairs and the ref of a session."""
    runs = {row["number"]: row for row in store.query(RUNS, session["id"])}
    for row in runs.values():
        right = "vault" if row["role"] == Role.CLOSING else "validation"
        where = f"{session['name']} x{row['number']}"
        found.unless(row["split"] == right, "split", where, f"a {row['role']} run was measured on the {row['split']}")
    closings = store.rows("closings", session=session["id"])
    counted: set[int] = set()
    for index, closing in enumerate(closings):
        where = f"{session['name']} closing {closing['id']}"
        with found.reading(where):
            _pairs(session, closing, runs, where, found)
            _look(closing, closings[:index], runs, where, found)
            mine = set(closing["inputs"]["numbers"])
            found.unless(not mine & counted, "closing", where, "it counts runs that another closing counted")
            counted |= mine
    _best(store, session, closings, runs, ledger, refs, found)


def _pairs(session: Row, closing: Row, runs: dict[int, Row], where: str, found: Findings) -> None:
    """Every run is what the pair says it is, and baseline and incumbent took turns to go first."""
    pairs, commit = closing["inputs"]["pairs"], closing["inputs"]["commit"]
    numbers = sorted(number for pair in pairs for number in pair)
    found.unless(numbers == closing["inputs"]["numbers"], "closing", where, "its pairs are not its runs")
    found.unless(commit != session["commit"], "closing", where, "it compares the baseline with itself")
    first = runs[pairs[0][0]]
    for pair in pairs:
        for number, parent in zip(pair, (session["commit"], commit), strict=True):
            run = runs.get(number)
            if run is None or run["role"] != Role.CLOSING or run["parent"] != parent or run["status"] != "ok":
                found.add("closing", where, f"x{number} is no closing run of {parent}")
            elif not same(_conditions(run), _conditions(first)):
                found.add("closing", where, f"x{number} was measured under other conditions than x{first['number']}")
    between = [r for n, r in runs.items() if numbers[0] <= n <= numbers[-1] and n not in numbers]
    if any(r["role"] != Role.CLOSING or r["status"] == "ok" for r in between):
        return  # it took over runs of one that was given up
    for index, (base, mine) in enumerate(pairs):
        if (base < mine) != (index % 2 == 0):
            found.add("closing", where, f"pair {index + 1} did not run in the order of its turn")


def _look(closing: Row, before: list[Row], runs: dict[int, Row], where: str, found: Findings) -> None:
    """Which look at its two codes this is, the pairs that it takes from earlier ones, and how strict it has to be."""
    said = closing["inputs"]
    held = [row["inputs"] for row in before if row["inputs"]["commit"] == said["commit"]]
    found.unless(said.get("look", 1) == len(held) + 1, "closing", where, f"it is look {len(held) + 1} at its two codes")
    found.unless(said["level"] in rule.levels(len(held) + 1), "closing", where, "its level is not that of its look")
    now = _conditions(runs[said["pairs"][0][0]])
    pooled = [p for inputs in held for p in inputs["pairs"] if all(same(_conditions(runs[n]), now) for n in p)]
    found.unless(pooled == said.get("pooled", []), "closing", where, f"earlier looks leave it the pairs {pooled}")


def _conditions(run: Row) -> list[object]:
    return [run["fingerprint"], run["conditions"]]


def _best(
    store: Store,
    session: Row,
    closings: list[Row],
    runs: dict[int, Row],
    ledger: Ledger,
    refs: Refs,
    found: Findings,
) -> None:
    """The ref of the confirmed best; only a run killed right after its closing may leave it behind."""
    ref = f"refs/council/{session['name']}/best"
    confirmed = [c for c in closings if c["confirmed"]]
    commits = [c["inputs"]["commit"] for c in confirmed]
    if refs.points(ref, commits[-1] if commits else None):
        return
    if commits and not _went_on(store, session, ledger.line_of("closings", confirmed[-1]["id"]), runs, ledger):
        before = commits[-2] if len(commits) > 1 else None
        if refs.points(ref, before):
            return
    now, wanted = refs.after.get(ref, "nothing"), commits[-1] if commits else "nothing"
    found.add("ref", ref, f"it points to {now}, what was last confirmed is {wanted}")


def _went_on(store: Store, session: Row, line: int, runs: dict[int, Row], ledger: Ledger) -> bool:
    """Whether the run that held a closing came to its own end."""
    later = [n for r in runs.values() if (n := ledger.line_of("experiments", r["id"])) > line]
    ends = [ledger.line_of("session_ends", r["id"]) for r in store.rows("session_ends", session=session["id"])]
    return any(line < end < min(later, default=end + 1) for end in ends)
