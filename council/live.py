"""The live file: what a running session is doing this second, for a second terminal.

`.council/live.json` is replaced atomically at every event, for progress at most once a second, and removed at the end.
It is for eyes only: nothing reads it as truth, and a disk that refuses it never disturbs the session. How to extend:
whatever stands in an event's `data` arrives here by itself.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from council.events import Emit, Event

NAME = "live.json"
SECONDS = 1.0
"""Progress is written at most this often."""


class Live:
    """A face that keeps the file, and passes every event on to another face."""

    def __init__(self, path: Path, then: Emit) -> None:
        self.path = path
        self.then = then
        self.written = float("-inf")
        self.state: dict[str, object] = {"pid": os.getpid(), "began": time.time()}

    def show(self, event: Event) -> None:
        """Take one event; the file is best effort."""
        self.then(event)
        told = {k: v for k, v in asdict(event).items() if v not in (None, {})}
        if event.kind == "progress":
            self.state["progress"] = {**told, "at": time.time()}
            if time.monotonic() - self.written < SECONDS:
                return
        else:
            self.state.pop("progress", None)
            self.state["last"] = {**told, "at": time.time()}
        self._write()

    def _write(self) -> None:
        self.written = time.monotonic()
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            part.write_text(json.dumps(self.state, default=str))
            part.replace(self.path)
        except (OSError, ValueError):
            self._remove(part)

    def close(self) -> None:
        """Remove the file."""
        self._remove(self.path)

    @staticmethod
    def _remove(path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            pass


@contextmanager
def live(path: Path, then: Emit) -> Iterator[Emit]:
    """A face that keeps the live file at `path` while the block runs."""
    keeper = Live(path, then)
    try:
        yield keeper.show
    finally:
        keeper.close()


def read(path: Path) -> dict[str, Any] | None:
    """What the file says, or None when there is none or it cannot be read."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
