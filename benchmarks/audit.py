"""How long `council audit` takes on a long night: 1,000 rounds, 20,000 calls with prompts of real length, real commits.

`python benchmarks/audit.py [--rounds N] [--folder DIR] [--times N]` holds a whole session in process, with members by a
script that record the prompts a language model gets, and a fake executor on this repository's train.py; then it times
the command itself. Holding the night takes far longer than auditing it; with `--folder` it is kept there and found
again. Exit code 1 when the audit finds anything, or when its median is above the promise of ten seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from council import plan, session  # noqa: E402
from council.members import prompt  # noqa: E402
from council.members.provider import Reply  # noqa: E402
from council.members.provider_price import Price  # noqa: E402
from council.store import Store  # noqa: E402
from council.types import Brief, Critique, Proposal, Response, Slate, Turn  # noqa: E402
from tests.helpers import FakeExecutor, Planned, change, make_lab  # noqa: E402

PROMISE_S = 10.0
MEMBERS = ("ann", "bob", "cyd", "dan", "eve")
PRICE = Price(3e-6, 15e-6, 3e-7, 3.75e-6)
LOST, FAILED = 0.01, 0.02
"""Shares of the calls that get no reply, and one that is none."""


class Talker(Planned):
    """Sets GAIN a little higher or lower, and records a call with a prompt of full length at each of four steps."""

    def __init__(self, name: str) -> None:
        super().__init__(name, {"propose": self._propose, "critique": self._critique, "respond": Response("It is.")})
        self.prompts: tuple[int, list[dict[str, str]]] = (0, [])

    def price(self) -> Price:
        """What its calls cost."""
        return PRICE

    def _propose(self, brief: Brief, turn: Turn) -> Proposal:
        gain = round(random.Random(turn.seed).gauss(0, 0.3), 9)
        return change(f"Set the gain to {gain}", random.Random(turn.seed).uniform(0.2, 0.7), GAIN=gain)(brief)

    def _critique(self, brief: Brief, slate: Slate, turn: Turn) -> tuple[Critique, ...]:
        return tuple(Critique(entry.label, "It may be noise.") for entry in slate.entries[:1])

    async def _reply(self, step: str, default: Any, *arguments: Any) -> Any:
        turn, brief = arguments[-1], arguments[0]
        assert self.recorder is not None
        chance = random.Random(turn.seed)
        if self.prompts[0] != turn.round:
            made = prompt.propose(brief, 10**9)
            said = [("system", made.system), ("user", made.prefix + made.tail)]
            self.prompts = turn.round, [{"role": role, "content": text} for role, text in said]
        messages = [*self.prompts[1], {"role": "user", "content": f"Your turn: {step} in round {turn.round}."}]
        size = sum(len(m["content"]) for m in messages)
        request = {"model": "m", "max_tokens": 4000, "messages": messages}
        call = await self.recorder.sent(turn, 1, "bench", "m", request, 0.2)
        if chance.random() > LOST:
            text = f"I say this of {step}. " * 60
            reply = Reply(text, "ok", size // 4, size // 8, 0, len(text) // 4, "", {"id": f"{call}"})
            if chance.random() < FAILED:
                reply = Reply("", "overloaded", raw={"error": "try again later"})
            self.recorder.answered(call, reply, PRICE.cost(reply), 3.0)
        self.recorder.left(call)
        return await super()._reply(step, default, *arguments)


def main() -> int:
    """Hold the night, audit it, print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=1000)
    options.add_argument("--folder", type=Path, help="where the night is kept")
    options.add_argument("--times", type=int, default=3)
    asked = options.parse_args()
    with contextlib.ExitStack() as stack:
        top = asked.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lab = top / f"night-{asked.rounds}"
        begun = time.perf_counter()
        if not lab.exists():
            hold(lab, asked.rounds)
        size = (lab / ".council/council.db").stat().st_size / 1e6
        with contextlib.closing(Store(lab / ".council/council.db", read_only=True)) as store:
            calls = next(store.query("SELECT count(*) AS n FROM calls"))["n"]
        held = f"held in {time.perf_counter() - begun:.0f} s"
        print(f"{asked.rounds} rounds, {calls} calls, {size:.0f} MB, {held}", flush=True)
        took = [audit(lab) for _ in range(asked.times)]
    median = statistics.median(took)
    print(f"audit {median:.1f} s median, {max(took):.1f} s slowest; promised {PROMISE_S:.0f} s")
    return 0 if median <= PROMISE_S else 1


def hold(lab: Path, rounds: int) -> None:
    """One session of so many rounds, as `council run` holds it."""
    source = (ROOT / "lab/train.py").read_text().replace("\nimport ", "\nGAIN = 0.0\nimport ", 1)
    make_lab(lab, dict.fromkeys(MEMBERS, "council.testing.scripted:ScriptedMember"), source)
    with (lab / "council.yaml").open("a") as config:
        config.write("stop: {max_usd: null}\n")
    members = {name: Talker(name) for name in MEMBERS}
    with patched(plan, members_of=lambda config, offline: (members, {})), patched(session, executor_of=fake):
        asked = session.Request(root=lab, config=lab / "council.yaml", rounds=rounds, session="night")
        ending = session.run(asked, lambda event: told(event.text))
    assert ending.exit_code == 0, ending


def fake(config: object) -> FakeExecutor:
    """An executor that makes its numbers up."""
    return FakeExecutor()


def told(text: str) -> None:
    """Every hundredth round a line."""
    if text.startswith("round ") and text.endswith("00 done"):
        print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def patched(module: Any, **values: object) -> Iterator[None]:
    """Names of a module replaced while the block runs."""
    before = {name: getattr(module, name) for name in values}
    for name, value in values.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


def audit(lab: Path) -> float:
    """Seconds of the command, start of the interpreter included; SystemExit if it finds anything."""
    begun = time.perf_counter()
    done = subprocess.run(
        [str(Path(sys.executable).with_name("council")), "-C", str(lab), "audit"], capture_output=True, text=True
    )
    took = time.perf_counter() - begun
    print(f"{took:6.1f} s  {done.stdout.strip().splitlines()[-2:]}", flush=True)
    if done.returncode:
        raise SystemExit(done.stdout[-3000:] + done.stderr[-3000:])
    return took


if __name__ == "__main__":
    sys.exit(main())
