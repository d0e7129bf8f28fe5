"""Lines that fit: widths of characters, tables, wrapping, colour.

Why not a library: these lines are also written to pipes and compared in tests, and importing less starts faster. Every
function takes text that is already clean (`views/words.py`). Colour is off when NO_COLOR is set or nobody watches.
"""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TextIO

STYLES = {"good": "32", "bad": "31", "dim": "2", "bold": "1", "place": "36"}


def width(limit: int = 120) -> int:
    """Columns to use: those of the terminal, 80 where there is none, never over `limit`, never under 40."""
    return max(40, min(limit, shutil.get_terminal_size((80, 24)).columns))


def colourful(stream: TextIO) -> bool:
    """Whether colour may be written to this stream."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return watched(stream)


def watched(stream: TextIO) -> bool:
    """Whether the stream is a terminal."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def paint(text: str, style: str, on: bool) -> str:
    """The text in a style of STYLES, or as it is."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if on and text else text


def cells(text: str) -> int:
    """How many columns a terminal gives this text."""
    if text.isascii():
        return len(text)
    return sum(_cell(character) for character in text)


def _cell(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) == "Me":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, columns: int) -> str:
    """The text cut to so many columns, the cut marked."""
    if cells(text) <= columns:
        return text
    kept, used = [], 0
    for character in text:
        used += _cell(character)
        if used > columns - 1:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…" if columns > 0 else ""


def pad(text: str, columns: int, right: bool = False) -> str:
    """The text in exactly so many columns."""
    text = fit(text, columns)
    space = " " * (columns - cells(text))
    return space + text if right else text + space


def wrap(text: str, columns: int | None = None, indent: str = "") -> list[str]:
    """The text in lines of at most so many columns; a word that is wider than a line is broken."""
    room = max(2, (columns or width(100)) - cells(indent))
    found = [""]
    for gap, word in re.findall(r"( *)([^ ]+)", re.sub(r"\s", " ", text)):
        if cells(found[-1] + gap + word) <= room:
            found[-1] += gap + word
        elif cells(word) <= room:
            found.append(word)
        else:
            found[-1] += gap
            for character in word:
                if cells(found[-1] + character) > room:
                    found.append("")
                found[-1] += character
    return [indent + line.rstrip() for line in found if line.strip()]


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = (), flex: int = 0, indent: str = ""
) -> list[str]:
    """Columns under a head. The `flex` column gives way when the line would not fit the terminal."""
    body = [list(row) for row in rows]
    wide = [max([cells(name), *(cells(row[i]) for row in body)]) for i, name in enumerate(head)]
    over = len(indent) + sum(wide) + 2 * (len(wide) - 1) - width()
    if over > 0:
        wide[flex] = max(min(wide[flex], 12), wide[flex] - over)
    numeric = set(right)
    lines = [
        indent + "  ".join(pad(text, wide[i], i in numeric) for i, text in enumerate(row)).rstrip()
        for row in [list(head), *body]
    ]
    return [fit(line, width()) for line in lines]
