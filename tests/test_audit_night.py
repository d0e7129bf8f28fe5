"""A whole night with a fake executor, and what an audit says of it when nobody touched it.

`night(folder)` runs a real session in-process: real SQLite, real git, members and measurements by a script. It holds a
keep, a discard, an early crash with its repair, a late crash, a replicate after two failures, a void run, going back, a
round without a proposal, a debate with a revision, an edit the guard refused, a mended ballot and an unreadable one.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import shutil
import subprocess
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from council import edit, session
from council.audit import Report, audit
from council.audit.findings import Findings
from council.errors import Refused
from council.events import Event
from council.executors.base import Executor, Job, Progress, Smoke
from council.members.base import Member
from council.repo import Repo
from council.store import Store
from council.types import Ballot, Critique, Measurement, Proposal, Response

TRAIN = """\
import bench

RATE = 0.02
DEPTH = 4


def build():
    return [RATE] * DEPTH


def train(model):
    for batch in bench.batches():
        model.append(batch)
"""
CONFIG = """\
program: program.md
members:
  - {name: ann, kind: "tests.test_audit_night:Planned"}
  - {name: bob, kind: "tests.test_audit_night:Planned"}
  - {name: cyd, kind: "tests.test_audit_night:Planned"}
stop: {rounds: 8}
"""
EMPTY_ROUND = 4

SCRIPT = [
    *(1.000, 1.004),  # the baseline
    0.985,  # 1: kept
    1.010,  # 2: discarded
    *("early", 0.999),  # 3: crashed, repaired, discarded
    1.030,  # 4: no proposal; the replicate is so bad that the baseline is booked again
    "late",  # 5: crashed too late for a repair
    *("late", 1.003),  # 6: crashed again; the machine is checked
    *("void", 0.970),  # 7: the machine failed once; then kept
    0.9999,  # 8: discarded
]


class Fake(Executor):
    """Says what its script says, one entry per run."""

    def __init__(self, script: list[float | str], conditions: dict[str, object] | None = None) -> None:
        self.script = list(script)
        self.conditions = conditions or {"device": "fake"}

    async def measure(self, job: Job, progress: Progress) -> Measurement:
        progress({"phase": "train", "seconds": 1.0, "step": 3, "loss": 2.5})
        said = self.script.pop(0)
        found = Measurement("ok", None, "", 0.010, "data-1", self.conditions, "none", 15.0, 16.0, "tail\n", {})
        if isinstance(said, float):
            return replace(found, val_bpb=said, raw={"val_bpb": said, "train_seconds": 15.0})
        if said == "void":
            return replace(found, status="void", reason="the referee died")
        raw = {"startup_seconds": 1.0, "train_seconds": 1.0 if said == "early" else 40.0}
        return replace(found, status="crash", reason=f"an {said} crash", raw=raw)

    async def smoke(self, source: str) -> Smoke:
        await asyncio.sleep(0)
        return Smoke("refuse" not in source, "it says refuse")


class Planned(Member):
    """Changes RATE to a value nobody else has; debates, repairs and votes by the round it is in."""

    kind = "planned"

    async def propose(self, brief, turn):
        if turn.round == EMPTY_ROUND:
            return None
        number = turn.round * 10 + "abc".index(self.name[0])
        text = brief.source.replace("RATE = ", f"RATE = {number} + ", 1)
        if (turn.round, self.name) == (2, "cyd"):
            text += "\nassert 'refuse'\n"
        return Proposal(f"rate {number}", "why not", "optimizer", edit.between(brief.source, text), number / 100)

    async def repair(self, brief, proposal, reason, turn):
        text = (
            edit.apply(proposal.edit, brief.source).replace("refuse", "fine") + f"\n# {turn.step}\nX = {turn.round}\n"
        )
        return replace(proposal, title=f"mended {proposal.title}", edit=edit.between(brief.source, text))

    async def critique(self, brief, slate, turn):
        if turn.round != 1 or self.name != "ann":
            return ()
        return tuple(Critique(entry.label, f"too bold: {entry.title}") for entry in slate.entries)

    async def respond(self, brief, proposal, critiques, turn):
        if self.name == "cyd":
            raise Refused("I will not")
        text = edit.apply(proposal.edit, brief.source).replace("DEPTH = 4", "DEPTH = 5")
        return Response("right", replace(proposal, edit=edit.between(brief.source, text)))

    async def rank(self, brief, slate, turn):
        labels = sorted(slate.entries, key=lambda e: e.title)
        ranking = tuple(e.label for e in labels)
        if (turn.round, self.name) == (2, "ann"):
            return Ballot(ranking[:1], {})
        forecasts = {label: 0.6 - 0.1 * i for i, label in enumerate(ranking)}
        if (turn.round, self.name) == (2, "bob"):
            forecasts = {label: 0.2 + 0.1 * i for i, label in enumerate(ranking)}
        return Ballot(ranking, forecasts)


def lab(folder: Path, config: str = CONFIG) -> Path:
    """A repository with a train.py, a program and a council.yaml."""
    (folder / "lab").mkdir(parents=True)
    (folder / "lab/train.py").write_text(TRAIN)
    (folder / "program.md").write_text("Lower it.\n")
    (folder / "council.yaml").write_text(config)
    for args in (["init", "-q"], ["add", "."], ["commit", "-qm", "start"]):
        subprocess.run(["git", "-C", str(folder), *args], check=True)
    return folder


def run(folder: Path, executor: Executor, **request: object) -> session.Ending:
    """One run of a session in this process."""
    events: list[Event] = []
    before = session.executor_of
    session.executor_of = lambda config: executor
    try:
        asked = session.Request(root=folder, config=folder / "council.yaml", **request)  # type: ignore[arg-type]
        return session.run(asked, events.append)
    finally:
        session.executor_of = before


@functools.cache
def _made() -> Path:
    top = Path(tempfile.mkdtemp(prefix="council-night-"))
    atexit.register(shutil.rmtree, top, ignore_errors=True)
    folder = lab(top / "lab")
    ending = run(folder, Fake(SCRIPT), session="night")
    assert ending.exit_code == 0, ending
    return folder


def night(folder: Path) -> Path:
    """A copy of the night, in a new folder below this one."""
    return shutil.copytree(_made(), folder / "night")


def audited(folder: Path) -> Report:
    """The audit of a lab."""
    store = Store(folder / ".council/council.db", read_only=True)
    try:
        return audit(store, Repo.open(folder))
    finally:
        store.close()


def test_the_night_holds_everything_that_can_happen(tmp_path):
    store = Store(night(tmp_path) / ".council/council.db", read_only=True)
    assert [v["kind"] for v in store.rows("verdicts")] == [
        *("keep", "discard", "crash", "discard", "crash", "crash", "void", "keep", "discard")
    ]
    assert {b["cause"] for b in store.rows("books")} == {"start", "trial", "replicate", "back"}
    roles = [e["role"] for e in store.rows("experiments")]
    assert {"baseline", "trial", "repair", "replicate"} == set(roles) and roles.count("replicate") == 2
    assert any(b["mended"] for b in store.rows("ballots"))
    assert {"bad_reply", "refused", "abstained"} <= {o["kind"] for o in store.rows("outcomes")}
    assert not all(c["valid"] for c in store.rows("checks"))
    assert store.rows("responses")[0]["revised"] and store.rows("critiques")
    assert store.one("tallies", round=EMPTY_ROUND) is None
    store.close()


def test_a_night_nobody_touched_adds_up(tmp_path):
    report = audited(night(tmp_path))
    assert report.problems == ()
    assert report.ok and (report.sessions, report.rounds, report.calls) == (1, 8, 0)


def test_the_report_gives_the_head_of_the_ledger_that_the_end_carries(tmp_path):
    folder = night(tmp_path)
    repo = Repo.open(folder)
    assert audited(folder).head == repo.trailers(repo.refs("refs/council/")["refs/council/night/end"])["Council-Ledger"]


def test_a_night_that_goes_on_adds_up(tmp_path):
    folder = night(tmp_path)
    run(folder, Fake([0.960, 0.955]), resume="night", rounds=10)
    assert audited(folder).problems == ()


def test_a_session_that_finds_itself_elsewhere_adds_up(tmp_path):
    folder = night(tmp_path)
    # a void trial under new conditions, then baseline and incumbent anew, then the round's trial
    script = [0.9, 2.0, 2.02, 1.9, 1.92, 1.85]
    run(folder, Fake(script, {"device": "other"}), resume="night", rounds=10)
    store = Store(folder / ".council/council.db", read_only=True)
    assert [b["cause"] for b in store.rows("books")].count("start") == 2
    store.close()
    assert audited(folder).problems == ()


def test_two_sessions_in_one_database_add_up(tmp_path):
    folder = night(tmp_path)
    run(folder, Fake([1.0, 1.0, 0.9]), session="other", rounds=1)
    report = audited(folder)
    assert report.problems == () and (report.sessions, report.rounds) == (2, 9)


class Killed(BaseException):
    """What a kill looks like from inside."""


@pytest.mark.parametrize("at", (9, 32, 61, 88, 117))
def test_a_night_killed_at_any_write_adds_up_before_and_after_it_goes_on(tmp_path, monkeypatch, at):
    folder, count = lab(tmp_path / "lab-killed"), 0
    fake = Fake([1.0, 1.004, 0.985, 1.01, 1.02, 1.03])

    def dying(write):
        def maybe(*arguments):
            nonlocal count
            count += 1
            if count > at:
                raise Killed
            return write(*arguments)

        return maybe

    with monkeypatch.context() as patch:
        patch.setattr(Store, "insert", dying(Store.insert))
        patch.setattr(Repo, "set_ref", dying(Repo.set_ref))
        patch.setattr(session.Night, "_close", lambda self, code, reason: None)
        with pytest.raises(Killed):
            run(folder, fake, session="night", rounds=3)
    assert audited(folder).problems == ()
    known = audited(folder).sessions
    ending = run(folder, fake, **({"resume": "night"} if known else {"session": "night"}), rounds=3)
    assert ending.exit_code == 0 and audited(folder).problems == ()


def test_a_running_night_adds_up_at_every_step(tmp_path, monkeypatch):
    folder, found = lab(tmp_path / "lab"), []
    measure = Fake.measure

    async def audited_first(self, job, progress):
        found.append(audited(folder).problems)
        return await measure(self, job, progress)

    monkeypatch.setattr(Fake, "measure", audited_first)
    run(folder, Fake([1.0, 1.004, 0.985, 1.01]), session="night", rounds=2)
    assert found == [()] * 4


def test_what_a_problem_quotes_is_short_and_without_control_characters():
    found = Findings()
    found.add("row", "here", "\x1b[31mred\n" + "x" * 10_000)
    (problem,) = found.report()
    assert problem.what.startswith("red x") and len(problem.what) <= 300


def test_of_many_problems_of_a_kind_the_first_are_listed_and_the_rest_counted():
    found = Findings()
    for number in range(250):
        found.add("row", str(number), "gone")
    assert len(found.report()) == 101 and "150 more" in found.report()[-1].what


def test_a_report_is_the_json_it_promises(tmp_path):
    told = json.loads(json.dumps(asdict(audited(night(tmp_path)))))
    assert list(told) == ["ok", "sessions", "rounds", "calls", "head", "problems", "imported"]
