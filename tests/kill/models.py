"""Language models of all kinds in a run that is killed, and a provider that keeps the books of what it was asked.

What: `Books` is the brain of a loopback provider: it fails now and then, and remembers when it was asked what and what
its whole replies would cost; `ModelLab` is a lab whose members call it, with the checks of what a night has left.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from council.calls import ANSWERS, Calls
from council.store import Row, Store
from council.testing.loopback import Asked, Fault
from council.testing.loopback_brain import answer
from council.testing.loopback_wire import INTERFACES, tokens_of
from tests.helpers import git
from tests.kill.runs import ROOT, Lab, Run, make

KEY = "sk-test-0123456789abcdef0123456789"
FAULTS = ("429", "500", "529", "timeout", "reset", "cut", "empty", "truncated", "bad_sse", "bad_json")
WHOLE = ("empty", "truncated")
"""Faults that are a whole reply, which is paid for."""
MODELS = {
    "ann": ("anthropic", "claude-a"),
    "bob": ("anthropic", "claude-b"),
    "cyd": ("openai", "gpt-a"),
    "dan": ("openai", "gpt-b"),
    "eve": ("litellm", "openai/open-a"),
}
"""Members as (kind, model)."""
INTERFACE = {"anthropic": "messages", "openai": "responses", "litellm": "chat"}
PRICE = {"input": 3.0, "output": 15.0}
"""Dollars per million tokens."""
TIMEOUT = 3
TRAIN = '''"""A train.py in small; GAIN is what the lab that is made up measures."""
GAIN = 4.0
RATE = 0.5
SHARE = 0.25
SCALE = 1.5


def build(bench):
    return SCALE


def train(model, bench):
    return GAIN
'''

Identity = tuple[str, str]
"""(model as the provider is told, all text of the request)."""


@dataclass
class Books:
    """Answers as any loopback provider does, but a share of the requests meets a fault; titles repeat the key."""

    chance: random.Random
    share: float = 0.2
    asked: dict[Identity, list[float]] = field(default_factory=lambda: defaultdict(list))
    failed: Counter[str] = field(default_factory=Counter)
    bill: float = 0.0
    keys: set[bool] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, asked: Asked) -> str | Fault:
        said: str | Fault = answer(asked.text, asked.model).replace("TITLE: Set", f"TITLE: {KEY} sets")
        with self.lock:
            self.keys.add(KEY in " ".join(asked.headers.values()))
            self.asked[asked.model, asked.text].append(time.time())
            if self.chance.random() < self.share:
                said = Fault(self.chance.choice(FAULTS), retry_after=0.02, seconds=2 * TIMEOUT)
                self.failed[said.name] += 1
            if isinstance(said, str) or said.name in WHOLE:
                text = said if isinstance(said, str) else said.text if said.name == "truncated" else ""
                self.bill += tokens_of(asked.text) * PRICE["input"] / 1e6 + tokens_of(text) * PRICE["output"] / 1e6
        return said


class ModelLab(Lab):
    """A lab whose members are language models and whose experiments are made up."""

    def environment(self) -> dict[str, str]:
        found = {name: value for name, value in super().environment().items() if not name.lower().endswith("_proxy")}
        return {**found, "TEST_KEY": KEY}

    def start(self, *more: str) -> Run:
        script = [sys.executable, str(ROOT / "tests/kill/made_up.py")]
        arguments = self.arguments("--i-accept-unsandboxed", *more)
        return Run([*script, *arguments], self.environment(), self.tmp.parent / "stderr.log")

    def check_members(self) -> None:
        """Every member of every round has proposed, every judge has voted, or there is an outcome that says why not."""
        steps, slates = ("propose", "rank"), [s for s in self.rows("slates") if s["step"] == "rank"]
        given = [(r["round"], r["member"], r["step"]) for r in self.rows("proposals") if r["step"] == "propose"]
        given += [(r["round"], r["judge"], "rank") for r in self.rows("ballots")]
        given += [(r["round"], r["member"], r["step"]) for r in self.rows("outcomes") if r["step"] in steps]
        rounds, members = range(1, self.rounds + 1), self.rows("members")
        judges = sorted((n, m["name"]) for m in members if m["votes"] for n in rounds)
        assert sorted((s["round"], s["judge"]) for s in slates) == judges
        due = [(n, m["name"], "propose") for m in members for n in rounds]
        due += [(s["round"], s["judge"], "rank") for s in slates if s["shown"]]
        assert sorted(given) == sorted(due)

    def check_money(self, books: Books, cap: float) -> None:
        """No more is counted than the cap allows, and no less than the provider's bill."""
        with closing(Store(self.root / ".council" / "council.db", read_only=True)) as store:
            spent, flying = Calls(store, 1).money()
        assert flying == 0 and books.bill <= spent <= cap

    def check_paid_once(self, books: Books) -> None:
        """Every request was recorded before it was sent, and none was sent again once its answer was stored."""
        calls = {call["id"]: _identity(call) for call in self.rows("calls")}
        answered = {calls[r["call"]]: r["at"] for r in self.rows("replies") if r["status"] in ANSWERS}
        assert answered and answered.keys() <= books.asked.keys()
        assert [who for who, at in answered.items() if max(books.asked[who]) > at] == []
        assert Counter({who: len(at) for who, at in books.asked.items()}) <= Counter(calls.values())

    def check_secrets(self, books: Books, said: str) -> None:
        """The key that every request carried, and every title repeated, is nowhere."""
        assert books.keys == {True} and list(self.root.glob(".council/reports/*.html"))
        objects = ["git", "-C", str(self.root), "cat-file", "--batch", "--batch-all-objects"]
        texts = {path: path.read_bytes() for path in self.root.parent.rglob("*") if path.is_file()}
        texts[Path("git")] = subprocess.run(objects, capture_output=True, check=True).stdout
        proposals = {p["id"]: p["title"] for p in self.rows("proposals")}
        assert any("[redacted] sets" in title for title in proposals.values())
        ran = [
            proposals.get(e["proposal"], "") for e in self.rows("experiments")
        ]  # a model's, unless free ones won all
        assert (b"[redacted] sets" in texts[Path("git")]) == any("[redacted] sets" in title for title in ran)
        assert [path for path, text in texts.items() if KEY.encode() in text] == [] and KEY not in said


def _identity(call: Row) -> Identity:
    """A recorded call as the provider saw it."""
    interface = next(i for i in INTERFACES if i.name == INTERFACE[call["provider"]])
    return call["model"].removeprefix("openai/"), interface.text_of(call["request"])


def make_models(folder: Path, rounds: int, url: str, cap: float, names: Iterable[str], free: str = "") -> ModelLab:
    """A lab for the named models behind the provider at `url`; `free` are lines of members that cost nothing."""
    lab = make(folder, rounds, {}, TRAIN)
    given = f"base_url: '{url}', api_key_env: TEST_KEY, timeout: {TIMEOUT}, max_tokens: 1000, price: {PRICE}"
    paid = "".join(f"  - {{name: {n}, kind: {MODELS[n][0]}, model: {MODELS[n][1]}, {given}}}\n" for n in names)
    (lab.root / "council.yaml").write_text(f"members:\n{paid}{free}stop: {{max_usd: {cap}}}\n")
    git(lab.root, "commit", "-qam", "members")
    return ModelLab(lab.root, lab.tmp, rounds)
