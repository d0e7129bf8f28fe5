"""Events as JSON lines on stdout, for programs that watch a session.

One object per event with `at` (seconds since the epoch), `kind`, `text`, `round`, `step`, `member` and `data`; only
ASCII, so no terminal acts on it. A reader that goes away ends the lines, never the session.
"""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import asdict
from typing import TextIO

from council.events import Emit, Event


def json_lines(stream: TextIO | None = None) -> Emit:
    """A face that writes one JSON object per event to the stream (stdout)."""
    out = stream or sys.stdout
    gone = False

    def show(event: Event) -> None:
        nonlocal gone
        if gone:
            return
        try:
            out.write(line({"at": round(time.time(), 3), **asdict(event)}) + "\n")
            out.flush()
        except (OSError, ValueError):
            gone = True

    return show


def line(value: object, indent: int | None = None) -> str:
    """JSON that any terminal and any parser can take: ASCII, no control characters, NaN and infinity as null."""
    text = json.dumps(_finite(value), indent=indent, allow_nan=False, default=str)
    return text.replace("\x7f", "\\u007f")


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, list | tuple) else value
