"""Faces for a terminal: what a running session prints, and views as lines of text.

What: `face` gives the callable that takes a session's events. Why apart from the commands: the same lines serve a pipe,
a terminal and a log. How to extend: a new display is one module with a factory, named in DISPLAYS.
"""

from __future__ import annotations

from council.events import Emit, silent

__all__ = ["DISPLAYS", "face"]

DISPLAYS = ("plain", "json", "none")
"""What `council run --display` knows."""


def face(display: str) -> Emit:
    """The face of that name."""
    if display == "json":
        from council.ui.jsonlines import json_lines

        return json_lines()
    if display == "plain":
        from council.ui.plain import plain

        return plain()
    return silent
