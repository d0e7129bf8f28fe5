"""How long the pages take over loopback on a long night: 1,000 rounds and 20,000 calls.

`python benchmarks/pages.py [--rounds N] [--times N] [--live]` builds the database in a temporary folder, serves it,
asks each page in turn and prints the median and the slowest of each, and the processor time that the server used for
one, which a busy machine changes less. Exit code 1 when a median is above the promise of 100 ms. Charts and the longest
reads are made once per change of the database and kept; the first request of a page, which pays for that, is printed
and not counted. With `--live` a call is recorded before each request, as on a night that runs.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from council.store import Store  # noqa: E402
from tests.report.nights import write  # noqa: E402

PROMISE_MS = 100.0
CALLS_A_ROUND = 22
BEFORE = 50
"""Rounds of a short session before the night, for what compares two."""

PAGES = (
    "/", "/overview.json", "/rounds", "/rounds?verdict=keep&member=opus&q=warmup", "/rounds?sort=delta&page=7",
    "/rounds?sort=cost", "/round/{round}", "/round/{round}.json", "/members", "/member?name=opus", "/sessions",
    "/compare", "/compare?a=night&b=night", "/compare.json?a=night&b=before", "/search?q=curvature", "/search?q=zebra",
    "/call?id={call}", "/live.json", "/council", "/council/rounds", "/council/verdicts?_facet=kind",
    "/council/proposals", "/council/ledger", "/council/cost_by_member_and_step", "/chart/curve.svg?number={round}",
)  # fmt: skip
"""What is asked; the round and the call differ from one time to the next."""


def main() -> int:
    """Build, serve, ask, print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=1000)
    options.add_argument("--times", type=int, default=15)
    options.add_argument("--live", action="store_true")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / ".council"
        home.mkdir()
        (Path(folder) / ".git").mkdir()
        begun = time.perf_counter()
        write(home / "council.db", rounds=BEFORE, calls=CALLS_A_ROUND, name="before", seed=3)
        write(home / "council.db", rounds=asked.rounds, calls=CALLS_A_ROUND, name="night")
        with contextlib.closing(Store(home / "council.db", read_only=True)) as store:
            calls = next(store.query("SELECT count(*) AS n FROM calls"))["n"]
            call = store.one("calls", order="id DESC") or {}
        print(f"{BEFORE} and {asked.rounds} rounds, {calls} calls, written in {time.perf_counter() - begun:.1f} s")
        with served(Path(folder)) as (url, pid), contextlib.closing(Store(home / "council.db")) as store:
            turn = itertools.count(10**6)

            def record() -> None:
                if asked.live:
                    store.insert("calls", {**{k: v for k, v in call.items() if k != "id"}, "attempt": next(turn)})

            worst = max([ask(url, path, asked.rounds, asked.times, record, pid) for path in PAGES])
    print(f"slowest median {worst:.1f} ms, promised {PROMISE_MS:.0f} ms")
    return 0 if worst <= PROMISE_MS else 1


@contextlib.contextmanager
def served(folder: Path):
    """The command line's own server on a free port."""
    council = Path(sys.executable).with_name("council")
    command = [str(council), "-C", str(folder), "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().split()[0].rstrip("/"), process.pid
        finally:
            process.terminate()


def cpu(pid: int) -> float:
    """Milliseconds of processor time that a process has used so far; 0 where the system does not say."""
    try:
        used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    except OSError:
        return 0.0
    return sum(map(int, used)) * 1000 / os.sysconf("SC_CLK_TCK")


def ask(url: str, path: str, rounds: int, times: int, record: Callable[[], None], pid: int) -> float:
    """Ask one page several times, each time after `record`; prints and returns the median in milliseconds."""
    took, before = [], 0.0
    for turn in range(times + 1):
        number = 1 + (turn * 61) % rounds
        address = url + path.format(round=number, call=1 + number * 7)
        before = cpu(pid) if turn == 1 else before
        record()
        begun = time.perf_counter()
        with urllib.request.urlopen(address, timeout=60) as answer:
            size = len(answer.read())
        took.append((time.perf_counter() - begun) * 1000)
    median = statistics.median(took[1:])
    figures = f"{median:8.1f} ms median {max(took[1:]):8.1f} ms slowest {took[0]:8.1f} ms first"
    figures += f" {(cpu(pid) - before) / times:6.1f} ms CPU"
    print(f"{figures} {size / 1024:6.0f} KiB  {path}")
    return median


if __name__ == "__main__":
    sys.exit(main())
