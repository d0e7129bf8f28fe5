"""A small lab and a whole session in it, in process: for tests of what the engine does.

What: `Night` runs real sessions on a real store and a real git repository; its members answer from a plan and its
executor makes numbers up from the seed and the code, so a round takes a fraction of a second. How to extend: a new way
for an experiment to end is one more `Ran`; a new step of a member is one more name in `Planned`.
"""

from __future__ import annotations

import hashlib
import random
import re
import subprocess
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from council import edit, plan, session, syntax
from council.events import Event
from council.executors.base import Executor, Job, Progress, Smoke
from council.members.base import Member
from council.store import Row, Store
from council.types import Ballot, Brief, Measurement, Proposal, Slate, Turn

TRAIN = '''"""A train.py in small; GAIN is what the fake lab measures."""
GAIN = 0
WIDTH = 64
DEPTH = 2


def build(bench):
    return WIDTH, DEPTH


def train(model, bench):
    return GAIN
'''
SEED = "5eed" * 16
S0 = 0.008
CONDITIONS = {"machine": "fake", "budget": 1.0}


def git(folder: Path, *arguments: str) -> str:
    """What git prints in a folder."""
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def make_lab(folder: Path, members: Mapping[str, str], train: str = TRAIN) -> Path:
    """A repository with train.py, program.md and a council.yaml that names members {name: kind}."""
    (folder / "lab").mkdir(parents=True)
    (folder / "lab" / "train.py").write_text(train)
    (folder / "program.md").write_text("Lower the BPB.\n")
    named = "".join(f"  - {{name: {name}, kind: '{kind}'}}\n" for name, kind in members.items())
    (folder / "council.yaml").write_text(f"members:\n{named}")
    git(folder.parent, "init", "-q", str(folder))
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "start")
    return folder


def change(title: str = "", forecast: float = 0.5, **constants: float) -> Callable[[Brief, Turn], Proposal]:
    """A proposal that sets constants of whatever code the brief shows."""

    def make(brief: Brief, *_: Any) -> Proposal:
        source = brief.source
        for name, value in constants.items():
            source = syntax.with_constant(source, name, value)
        said = title or ", ".join(f"{name} = {value:g}" for name, value in constants.items())
        return Proposal(said, "It may help.", "other", edit.between(brief.source, source), forecast)

    return make


def in_order(brief: Brief, slate: Slate, turn: Turn) -> Ballot:
    """The slate as it was shown, with falling forecasts."""
    labels = [entry.label for entry in slate.entries]
    return Ballot(tuple(labels), {label: 0.9 - 0.2 * place for place, label in enumerate(labels)})


def prefer(*titles: str) -> Callable[[Brief, Slate, Turn], Ballot]:
    """A ballot that ranks entries by where their title stands in `titles`, unnamed ones last."""

    def rank(brief: Brief, slate: Slate, turn: Turn) -> Ballot:
        ranked = sorted(slate.entries, key=lambda e: titles.index(e.title) if e.title in titles else len(titles))
        return Ballot(tuple(e.label for e in ranked), {e.label: 0.8 / (place + 1) for place, e in enumerate(ranked)})

    return rank


class Planned(Member):
    """A member whose replies are set by step and round, so that a resumed session hears the same.

    `plan` maps (step, round), or a step alone for every round, to a value, an exception to raise, or a callable that
    gets what the step got. What is not planned: abstain from proposing, rank in order, no repair, no debate.
    """

    kind = "planned"

    def __init__(self, name: str, replies: Mapping[Any, Any] | None = None) -> None:
        super().__init__(name)
        self.replies = dict(replies or {})
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    def turns(self, step: str, round_: int | None = None) -> list[tuple[Any, ...]]:
        """What it was asked at a step."""
        return [a for s, a in self.asked if s == step and round_ in (None, a[-1].round)]

    async def _reply(self, step: str, default: Any, *arguments: Any) -> Any:
        self.asked.append((step, arguments))
        turn = arguments[-1]
        keys = ((step, turn.round, turn.attempt), (step, turn.round), step)
        reply = next((self.replies[key] for key in keys if key in self.replies), default)
        if isinstance(reply, BaseException):
            raise reply
        found = reply(*arguments) if callable(reply) else reply
        return await found if hasattr(found, "__await__") else found

    async def propose(self, brief: Brief, turn: Turn) -> Any:
        return await self._reply("propose", None, brief, turn)

    async def rank(self, brief: Brief, slate: Slate, turn: Turn) -> Any:
        return await self._reply("rank", in_order, brief, slate, turn)

    async def repair(self, brief: Brief, proposal: Proposal, reason: str, turn: Turn) -> Any:
        return await self._reply("repair", None, brief, proposal, reason, turn)

    async def critique(self, brief: Brief, slate: Slate, turn: Turn) -> Any:
        return await self._reply("critique", (), brief, slate, turn)

    async def respond(self, brief: Brief, proposal: Proposal, critiques: Any, turn: Turn) -> Any:
        return await self._reply("respond", None, brief, proposal, critiques, turn)


@dataclass(frozen=True)
class Ran:
    """How a fake experiment ends. `seconds` is how long the box was open; `bpb` None means: from the code and seed."""

    status: str = "ok"
    bpb: float | None = None
    seconds: float = 60.0
    conditions: Mapping[str, object] | None = None
    log: str = ""
    has_text: bool = False


@dataclass
class FakeExecutor(Executor):
    """1.8 BPB less 0.01 per GAIN, noise from the seed; `script` says by experiment number how one ends."""

    script: dict[int, Ran] = field(default_factory=dict)
    refuse: Callable[[str], str] = lambda source: ""
    conditions: Mapping[str, object] = field(default_factory=lambda: dict(CONDITIONS))
    noise: float = 0.002
    measured: list[int] = field(default_factory=list)
    seeds: dict[int, list[int]] = field(default_factory=dict)

    async def measure(self, job: Job, progress: Progress) -> Measurement:
        number = int(re.findall(r"-x(\d+)$", job.file.parent.parent.name)[0])
        self.seeds.setdefault(number, []).append(job.seed)
        source = job.file.read_text()
        progress({"phase": "train", "seconds": 1.0, "step": 1, "loss": 2.5, "progress": 0.5})
        ran = self.script.get(number, Ran())
        self.measured.append(number)
        bpb = ran.bpb
        if bpb is None:
            key = hashlib.sha256(f"{job.seed} {source}".encode()).hexdigest()
            bpb = 1.8 - 0.01 * syntax.constants(source).get("GAIN", 0) + random.Random(key).gauss(0, self.noise)
        conditions = {**(ran.conditions or self.conditions)}
        if job.budget is not None:
            conditions["budget"] = job.budget
        raw = {"status": ran.status, "startup_seconds": 1.0, "train_seconds": ran.seconds, "has_text": ran.has_text}
        return Measurement(
            ran.status, bpb if ran.status == "ok" else None, "" if ran.status == "ok" else f"it ended: {ran.status}",
            S0, "data 1", conditions, "none", ran.seconds, ran.seconds + 2, ran.log, raw,
        )  # fmt: skip

    async def smoke(self, source: str) -> Smoke:
        reason = self.refuse(source)
        return Smoke(not reason, reason)


@dataclass
class Night:
    """Sessions in one lab. `members` and `executor` may be replaced between runs; `events` hold what was said."""

    root: Path
    members: list[Planned]
    executor: FakeExecutor
    patch: pytest.MonkeyPatch
    seed: str = SEED
    events: list[Event] = field(default_factory=list)

    def run(self, rounds: int = 1, **request: Any) -> session.Ending:
        """Run or resume a session named k."""
        self.patch.setattr(plan, "members_of", lambda config, offline: ({m.name: m for m in self.members}, {}))
        self.patch.setattr(session, "executor_of", lambda config: self.executor)
        self.patch.setattr(session.secrets, "token_hex", lambda count: self.seed)
        name = {} if "resume" in request else {"session": "k"}
        asked = session.Request(root=self.root, config=self.root / "council.yaml", rounds=rounds, **{**name, **request})
        return session.run(asked, self.events.append)

    def rows(self, tbl: str, order: str = "id", **where: object) -> list[Row]:
        """Rows of the database."""
        with closing(Store(self.root / ".council" / "council.db", read_only=True)) as store:
            return store.rows(tbl, order, **where)

    def one(self, tbl: str, **where: object) -> Row:
        """The only such row."""
        (found,) = self.rows(tbl, **where)
        return found

    def refs(self) -> dict[str, str]:
        """Refs of the council by name."""
        lines = git(self.root, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        found = dict(line.split(" ") for line in lines)
        return {name: commit for name, commit in found.items() if "council/" in name}

    def said(self) -> str:
        """Everything a face was told, a line each."""
        return "\n".join(event.text for event in self.events)

    def runs(self) -> list[tuple[str, str]]:
        """(role, status) of every experiment in order."""
        status = {row["number"]: row["status"] for row in self.rows("measurements")}
        return [(row["role"], status.get(row["number"], "")) for row in self.rows("experiments", "number")]
