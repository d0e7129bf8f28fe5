"""Faces for a terminal: what a running session prints, and views as lines of text.

What: `face` gives the callable that takes a session's events, `opened` the same for the length of a block. Why apart
from the commands: the same lines serve a pipe, a terminal and a log. How to extend: a new display is one module with a
factory, named in DISPLAYS.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from council.events import Emit, silent

__all__ = ["DISPLAYS", "default", "face", "opened"]

DISPLAYS = ("live", "plain", "json", "none")
"""What `council run --display` knows."""


def default() -> str:
    """The display where none is asked for: live where somebody watches."""
    from council.ui.text import watched

    return "live" if watched(sys.stderr) and os.environ.get("TERM") != "dumb" else "plain"


def face(display: str) -> Emit:
    """The face of that name, without a database to read."""
    if display == "live":
        from council.ui.livedisplay import Display

        return Display().show
    if display == "json":
        from council.ui.jsonlines import json_lines

        return json_lines()
    if display == "plain":
        from council.ui.plain import plain

        return plain()
    return silent


@contextmanager
def opened(display: str, database: Path) -> Iterator[Emit]:
    """The face of that name, with a database to read, until the block ends."""
    if display != "live":
        yield face(display)
        return
    from council.ui.livedisplay import Display

    found = Display(database)
    try:
        yield found.show
    finally:
        found.close()
