"""Plain lines on stderr: one per step, with the time of day.

Progress shows on one line that rewrites itself on a terminal, and as a line every QUIET_SECONDS elsewhere. A terminal
that goes away ends the lines, never the session. Lines longer than the terminal are wrapped under their first word.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from council.events import Emit, Event
from council.ui import text as lines
from council.views.words import clean

QUIET_SECONDS = 15.0
"""Where nobody watches, progress is worth a line this often."""

LIVE_SECONDS = 0.5
"""How often the rewritten line changes."""

_LIMIT = 400
_STYLES = {"warning": "bad", "verdict": "bold", "round": "place", "session": "bold", "end": "bold"}


def plain(stream: TextIO | None = None) -> Emit:
    """A face that writes lines to the stream (stderr)."""
    return _Plain(stream or sys.stderr).show


class _Plain:
    """The state of the lines: when progress was last shown, and whether the cursor stands behind some."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.live = lines.watched(stream)
        self.colour = lines.colourful(stream)
        self.last = time.monotonic()
        self.open = False
        self.gone = False

    def show(self, event: Event) -> None:
        """Take one event; never raises."""
        if self.gone:
            return
        try:
            self._progress(event) if event.kind == "progress" else self._line(event)
            self.stream.flush()
        except (OSError, ValueError):
            self.gone = True

    def _progress(self, event: Event) -> None:
        now = time.monotonic()
        if now - self.last < (LIVE_SECONDS if self.live else QUIET_SECONDS):
            return
        self.last = now
        text = " " * 11 + progress(event)
        if self.live:
            self.stream.write("\r" + lines.pad(text, lines.width() - 1))
            self.open = True
        else:
            self.stream.write(f"{_clock()}   {text.strip()}\n")

    def _line(self, event: Event) -> None:
        self.last = time.monotonic()
        if self.open:
            self.stream.write("\r" + " " * (lines.width() - 1) + "\r")
            self.open = False
        said = clean(event.text, _LIMIT)
        if event.kind not in ("session", "round", "end"):
            said = f"{event.step}: {said}" if event.step else said
        deep = "" if event.kind in ("session", "round", "end") else "  "
        body = lines.wrap(said, lines.width() - 9 - len(deep)) or [""]
        style = _STYLES.get(event.kind)
        for number, part in enumerate(body):
            painted = lines.paint(part, style, self.colour) if style else part
            self.stream.write(f"{_clock() if number == 0 else ' ' * 8} {deep}{'  ' if number else ''}{painted}\n")


def progress(event: Event) -> str:
    """A progress event in words: phase, seconds, step and loss where it has them."""
    data = event.data
    parts = [clean(data.get("phase") or event.text, 60)]
    for name, form in (("seconds", "{:.0f} s"), ("step", "step {:.0f}"), ("loss", "loss {:.3f}")):
        value = data.get(name)
        if isinstance(value, int | float):
            parts.append(form.format(value))
    return ", ".join(part for part in parts if part)


def _clock() -> str:
    return time.strftime("%H:%M:%S")


def from_live(state: Mapping[str, Any]) -> str:
    """What the live file says, in one line."""
    last, now = state.get("last") or {}, state.get("progress")
    place = [f"round {last['round']}" if "round" in last else "", last.get("step") or ""]
    where = ", ".join(clean(part, 40) for part in place if part)
    said = ": ".join(part for part in (where, clean(last.get("text", ""))) if part)
    return f"{said} ({progress(Event('progress', '', data=now.get('data') or {}))})" if now else said
