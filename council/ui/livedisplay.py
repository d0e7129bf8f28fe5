"""The live display: one line for good per finished round, above a block that redraws once a second.

One thread draws, from the events of the session in this process or from the live file of another; it reads the store
through a connection of its own, and nothing that fails here disturbs the session. How to extend: what the block shows
is `council/ui/board.py`; here is only when and where.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from council.errors import CouncilError
from council.events import Event
from council.store import Store
from council.ui.board import block, cut, round_line
from council.views import round as rounds
from council.views import watch
from council.views.once import Kept
from council.views.watch import Watch
from council.views.words import clean

SECONDS = 1.0
"""How often the block is drawn."""

TAIL = 8
"""Finished rounds that a second terminal is told of when it begins to watch."""

REMEMBERED = 200
"""Lines that are printed again when the terminal changes its size."""


class Display:
    """A face that draws. `database` is read-only for it; `state` is what the live file says in another process."""

    def __init__(self, database: Path | None = None, stream: TextIO | None = None) -> None:
        self.database = database
        self.console = Console(file=stream or sys.stderr, highlight=False, markup=False, emoji=False)
        self.state: dict[str, Any] = {}
        self.session: str | None = None
        self.said: deque[Text] = deque(maxlen=REMEMBERED)
        self.told: int | None = None
        self.tail = 0
        self.watch: Watch | None = None
        self._once = Kept(2)
        self._seen = -1
        self._size = self.console.size
        self._over = threading.Event()
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._live: Live | None = None

    def show(self, event: Event) -> None:
        """Take one event of this process; never raises."""
        told = {**{k: v for k, v in asdict(event).items() if v not in (None, {})}, "at": time.time()}
        if event.kind == "progress":
            self.state["progress"] = told
            return
        self.state.pop("progress", None)
        self.state["last"] = told
        if event.kind == "session":
            self.session = str(event.data.get("session") or "") or None
            self.start()
        elif event.kind == "warning":
            self.say(Text(clean(event.text, 400), "red"))
        elif event.kind == "end":
            self.close()

    def start(self) -> None:
        """Begin to draw. Called again it does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="live display", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Draw what is new, take the block away, and stop."""
        self._over.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(10)

    def say(self, line: Text) -> None:
        """Print a line that stays."""
        with self._lock:
            self.said.append(line)
            self._safely(lambda: self.console.print(cut(line.copy(), self.console.width), soft_wrap=True))

    def _run(self) -> None:
        with self._lock:
            self._live = Live(
                console=self.console, auto_refresh=False, transient=True, vertical_overflow="crop", screen=False
            )
            self._safely(self._live.start)
        store: Store | None = None
        while True:
            over = self._over.is_set()
            store = store or self._open()
            if store is not None:
                self._safely(partial(self._read, store, over))
            self._safely(self._draw)
            if over:
                break
            self._over.wait(SECONDS)
        if self._live is not None:
            self._safely(self._live.stop)
        if store is not None:
            store.close()

    def _open(self) -> Store | None:
        if self.database is None or self.session is None:
            return None
        try:
            return Store(self.database, read_only=True)
        except CouncilError:
            return None

    def _read(self, store: Store, over: bool) -> None:
        """Read the store where it has changed, and tell each round that has come to its end."""
        found = watch.changed(store)
        if found != self._seen or over:
            self._seen, self.watch = found, watch.read(store, self.session, self._once)
        if self.watch is None:
            return
        done = self._done(self.watch, over)
        if self.told is None:
            self.told = max(0, done - self.tail) if self.tail else self.watch.status.rounds_done
        while self.told < done:
            self.told += 1
            self.say(round_line(rounds.read(store, self.told, self.session)))

    def _done(self, found: Watch, over: bool) -> int:
        """Rounds to which nothing is added any more."""
        done, last = found.status.rounds_done, self.state.get("last") or {}
        settled = last.get("step") == "settle" and last.get("round") == done
        return done if over or settled or found.status.ended else min(done, max(0, (found.status.round or 0) - 1))

    def _draw(self) -> None:
        with self._lock:
            if self._live is None:
                return
            size = self.console.size
            if size != self._size:
                self._size = size
                self._again(size.width, size.height)
            lines = block(self.watch, self.state, size.width - 1, max(1, size.height - 1), time.time())
            self._live.update(Group(*lines), refresh=True)

    def _again(self, width: int, height: int) -> None:
        """After a change of size the old block may be anywhere: begin with an empty screen and the last lines."""
        assert self._live is not None
        self._live.update(Text(""), refresh=True)
        self.console.clear()
        for line in list(self.said)[-max(0, height - 12) :]:
            self.console.print(cut(line.copy(), width), soft_wrap=True)

    @staticmethod
    def _safely(what: Callable[[], object]) -> None:
        try:
            what()
        except Exception:  # whatever the database holds, the session goes on and the next look may succeed
            pass


@contextmanager
def following(display: Display, session: str) -> Iterator[Display]:
    """The display of a session that another process runs."""
    display.session = session
    display.tail = TAIL
    display.start()
    try:
        yield display
    finally:
        display.close()
