"""A real `council run` in a process of its own: start it, watch it, kill it, and see what it left.

What: `Lab` is a repository with a small train.py for the real lab; `start` gives a `Run` whose events can be waited
for; `left` finds every process that came out of it, by the folder for temporary files that only this lab uses.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from council.store import Row, Store
from tests.helpers import git, make_lab

ROOT = Path(__file__).resolve().parents[2]
COUNCIL = [sys.executable, "-m", "council.cli"] if not (ROOT / ".venv/bin/council").exists() else [
    str(ROOT / ".venv/bin/council")
]  # fmt: skip
PATIENCE = 120.0
MEMBERS = {
    "breaking": "tests.kill.members:Breaking",
    "steady": "tests.kill.members:Steady",
    "third": "tests.kill.members:Steady",
}
TRAIN = '''"""A small model, so that the lab is quick."""
import torch.nn as nn

WIDTH = 4


class Small(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, WIDTH)
        self.head = nn.Linear(WIDTH, vocab_size)

    def forward(self, idx):
        return self.head(self.embedding(idx))


def build(bench):
    return Small(bench.vocab_size)


def train(model, bench):
    bench.start()
    step = 0
    while bench.progress() < 1:
        step += 1
    bench.log(step, 1.5)
'''


class Run:
    """One process of the council and what it says."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.seen: list[dict[str, Any]] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._log = log.open("a")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log, text=True, env=environment
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for an event; fails when the run ends before it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            line = self._lines.get(timeout=max(0.01, deadline - time.monotonic()))
            assert line is not None, f"the run ended ({self.process.wait()}) before that: {self.seen[-3:]}"
            self.seen.append(json.loads(line))
            if wanted(self.seen[-1]):
                return self.seen[-1]

    def says(self, text: str, kind: str | None = None) -> dict[str, Any]:
        """Wait for an event that says this."""
        return self.until(lambda event: text in event["text"] and kind in (None, event["kind"]))

    def kill(self, number: int = signal.SIGKILL) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def end(self, seconds: float = PATIENCE) -> int:
        """Wait for its exit code."""
        code = self.process.wait(seconds)
        self._log.close()
        return code


def _below(parents: set[int]) -> dict[int, str]:
    """Command lines of their children, and of theirs: a sandboxed box has neither our paths nor our marks."""
    found: dict[int, str] = {}
    for entry in sorted((e for e in Path("/proc").iterdir() if e.name.isdigit()), key=lambda e: int(e.name)):
        with suppress(OSError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in parents | set(found) and int(entry.name) != os.getpid():
                command = (entry / "cmdline").read_bytes()
                found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return {pid: command for pid, command in found.items() if command}


@dataclass
class Lab:
    """A lab for runs that are killed."""

    root: Path
    tmp: Path
    rounds: int = 1

    def environment(self) -> dict[str, str]:
        return {**os.environ, "TMPDIR": str(self.tmp), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

    def arguments(self, *more: str) -> list[str]:
        """Of a run that begins the session k, or goes on with it if it has begun."""
        begun = (self.root / ".council" / "council.db").exists() and self.rows("sessions")
        name = ["--resume", "k"] if begun else ["--session", "k"]
        common = ["--offline", "--rounds", str(self.rounds), "--budget", "1", "--display", "json"]
        return ["-C", str(self.root), "run", *common, *name, *more]

    def start(self, *more: str) -> Run:
        return Run([*COUNCIL, *self.arguments(*more)], self.environment(), self.tmp.parent / "stderr.log")

    def dying(self, where: str, nth: int = 1) -> Run:
        """A run that kills itself at that call."""
        command = [sys.executable, str(ROOT / "tests/kill/dying.py"), where, str(nth), *self.arguments()]
        return Run(command, self.environment(), self.tmp.parent / "stderr.log")

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command of the council in this lab."""
        command = [*COUNCIL, "-C", str(self.root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=self.environment(), timeout=PATIENCE)

    def rows(self, tbl: str, order: str = "id") -> list[Row]:
        with closing(Store(self.root / ".council" / "council.db", read_only=True)) as store:
            return store.rows(tbl, order)

    def processes(self) -> dict[int, str]:
        """Command lines of living processes that belong to this lab, by pid."""
        found, mark = {}, str(self.tmp).encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with suppress(OSError):
                command = (entry / "cmdline").read_bytes()
                inside = os.readlink(entry / "cwd").startswith(str(self.tmp))
                if command and (inside or mark in command or mark in (entry / "environ").read_bytes()):
                    found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
        return found | _below(set(found))

    def lab_process(self, *words: str) -> int:
        """Wait for a process of the lab whose command line holds these words."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for pid, command in self.processes().items():
                if all(word in command for word in words) and "council" not in command.split(" -m ")[0].split("/")[-1]:
                    return pid
            time.sleep(0.02)
        raise AssertionError(f"no process with {words}: {self.processes()}")

    def left(self, seconds: float = 15.0) -> dict[int, str]:
        """Processes that are still there after a moment of grace."""
        deadline = time.monotonic() + seconds
        while (found := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return found

    def check(self) -> None:
        """After the last resume: all rounds, nothing counted twice, nothing left over, and it adds up."""
        assert self.left() == {}
        experiments, measured = self.rows("experiments", "number"), self.rows("measurements", "number")
        numbers = [row["number"] for row in experiments]
        assert numbers == list(range(1, len(numbers) + 1)) == [row["number"] for row in measured]
        assert [row["round"] for row in self.rows("rounds", "round")] == list(range(1, self.rounds + 1))
        assert self.rows("session_ends")[-1]["rounds"] == self.rounds
        folder = self.root / ".council" / "worktrees"
        assert not folder.exists() or not list(folder.iterdir())
        assert len(git(self.root, "worktree", "list").splitlines()) == 1
        assert not list((self.root / ".council").glob("tmp/*"))
        refs = git(self.root, "for-each-ref", "--format=%(refname)", "refs/council/k/").split()
        kept = {"best"} if self.rows("closings") else set()
        assert set(refs) == {f"refs/council/k/{name}" for name in {*(f"x{n}" for n in numbers), "end", *kept}}
        assert git(self.root, "status", "--porcelain") == ""
        audit = self.call("audit")
        assert audit.returncode == 0, audit.stdout + audit.stderr


def make(folder: Path, rounds: int = 1, members: dict[str, str] | None = None, train: str = TRAIN) -> Lab:
    """A lab whose temporary files have a folder of their own."""
    (folder / "tmp").mkdir(parents=True)
    root = make_lab(folder / "lab-repo", members or MEMBERS, train)
    return Lab(root, folder / "tmp", rounds)
