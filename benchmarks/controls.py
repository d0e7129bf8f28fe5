"""The council against its own members alone, on the real CPU lab with the same number of experiments each.

`python benchmarks/controls.py --rounds N [--budget S] [--nights K] [--pairs P] [--arm NAME]` makes a lab in a temporary
folder, runs one session per arm and night, closes it with P fresh pairs of baseline and best on unseen text, and prints
what was confirmed. Arms: `council` (textbook, optuna and random together), and each of the three alone, beside a member
that never says anything. Only the fresh pairs are compared; nights are replicates of the whole session. Without
`--rounds` nothing runs: a night of 30 rounds at 15 s takes some twelve minutes of training per arm, and as much again
around it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

from council import session  # noqa: E402
from council.events import Event  # noqa: E402
from council.judge.meters import mean_of  # noqa: E402
from council.members.base import Member  # noqa: E402
from council.store import Store  # noqa: E402
from council.types import Ballot, Brief, Proposal, Slate, Turn  # noqa: E402
from council.views import duel  # noqa: E402

ARMS = {
    "council": ("textbook", "optuna", "random"),
    "optuna": ("optuna",),
    "random": ("random",),
    "textbook": ("textbook",),
}


class Silent(Member):
    """Fills the second seat that a council needs, and never says anything."""

    kind = "silent"

    async def propose(self, brief: Brief, turn: Turn) -> Proposal | None:
        """Nothing."""
        return None

    async def rank(self, brief: Brief, slate: Slate, turn: Turn) -> Ballot | None:
        """Nothing."""
        return None


@dataclass(frozen=True)
class Night:
    """One session of an arm: what its fresh pairs say (None: it ended on the baseline or did not close)."""

    arm: str
    experiments: int
    kept: int
    closed: duel.Confirmed | None
    best: float | None
    seconds: float
    reason: str


def main() -> int:
    """Run the arms and print a table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=0, help="rounds per session; without it nothing runs")
    options.add_argument("--budget", type=float, default=15.0, help="seconds of training per experiment")
    options.add_argument("--nights", type=int, default=1, help="sessions per arm")
    options.add_argument("--pairs", type=int, default=3, help="fresh pairs that close a session")
    options.add_argument("--arm", choices=ARMS, action="append", help="only this arm; may be given again")
    asked = options.parse_args()
    if asked.rounds < 1:
        print("controls: nothing was run; --rounds 30 runs four sessions of about half an hour on a quiet machine")
        return 0
    found = []
    with tempfile.TemporaryDirectory(prefix="council-controls-") as folder:
        for arm in asked.arm or ARMS:
            for number in range(1, asked.nights + 1):
                found.append(_night(Path(folder), arm, number, asked))
                print(_line(found[-1]), flush=True)
    print("\n".join(_summary(found)))
    return int(any(night.experiments < asked.rounds for night in found))


def _night(folder: Path, arm: str, number: int, asked: argparse.Namespace) -> Night:
    lab = folder / f"{arm}-{number}"
    subprocess.run(
        [str(Path(sys.executable).parent / "council"), "init", str(lab)], check=True, capture_output=True, cwd=ROOT
    )
    seats = [*ARMS[arm], *(() if len(ARMS[arm]) > 1 else (f"{Path(__file__).stem}:Silent",))]
    members = "".join(f"  - {{name: m{i}, kind: '{kind}'}}\n" for i, kind in enumerate(seats))
    (lab / "council.yaml").write_text(
        f"lab: {{device: cpu, budget: {asked.budget}}}\nmembers:\n{members}judge: {{closing_pairs: {asked.pairs}}}\n"
    )
    request = session.Request(
        root=lab, config=lab / "council.yaml", rounds=asked.rounds, session="k", accept_unsandboxed=True
    )
    began = time.monotonic()
    ending = session.run(request, _told)
    store = Store(lab / ".council" / "council.db", read_only=True)
    try:
        sid = store.rows("sessions")[0]["id"]
        closed = duel.confirmed(store, sid)
        runs = store.query("SELECT count(*) AS n FROM experiments WHERE role NOT IN ('baseline', 'closing')")
        kept = sum(v["kind"] == "keep" for v in store.rows("verdicts"))
        return Night(arm, next(runs)["n"], kept, closed, _best(store, closed), time.monotonic() - began, ending.reason)
    finally:
        store.close()


def _best(store: Store, closed: duel.Confirmed | None) -> float | None:
    """Mean BPB of the best over the fresh pairs."""
    if closed is None:
        return None
    row = store.rows("closings")[-1]
    numbers = [mine for _, mine in row["inputs"]["pairs"]]
    values = [store.rows("measurements", number=n)[0]["val_bpb"] for n in numbers]
    return float(sum(values) / len(values))


def _told(event: Event) -> None:
    if event.kind in ("verdict", "warning"):
        print(f"    {event.text}", file=sys.stderr, flush=True)


def _line(night: Night) -> str:
    closed = night.closed
    told = "ended on the baseline: nothing to confirm"
    if closed is not None and night.best is not None:
        word = "confirmed" if closed.confirmed else "not confirmed"
        told = (
            f"best {night.best:.5f} BPB over {closed.pairs} fresh runs, gain {closed.gain.value:+.5f} "
            f"({closed.gain.low:+.5f} to {closed.gain.high:+.5f}), {word}"
        )
    return f"{night.arm:9} {night.experiments:4} experiments, {night.kept} kept, {night.seconds:5.0f} s: {told}"


def _summary(found: Sequence[Night]) -> list[str]:
    """Mean confirmed gain per arm over its nights; an unconfirmed or absent one counts as 0."""
    lines = ["", "arm        nights  mean confirmed gain (BPB; not confirmed counts as 0)"]
    for arm in dict.fromkeys(night.arm for night in found):
        mine = [night.closed for night in found if night.arm == arm]
        meter = mean_of([c.gain.value if c and c.confirmed else 0.0 for c in mine])
        spread = f" ({meter.interval.low:+.5f} to {meter.interval.high:+.5f})" if meter.interval else " (one night)"
        lines.append(f"{arm:9} {len(mine):7}  {meter.value or 0.0:+.5f}{spread}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
