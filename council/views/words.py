"""Symbols, numbers and inert text: what every face shares.

Why: a night reads the same in a terminal, on a page and in a report, and what a member wrote can never act on the
reader's machine. All text of members and files passes `clean` (one line), `clean_lines`, `prose` or `whole_lines`
before a human face shows it. Pure functions. How to extend: a new symbol goes into SYMBOLS, a new kind of number gets
one function.
"""

from __future__ import annotations

import unicodedata

SYMBOLS = {
    "keep": "●",
    "discard": "·",
    "crash": "×",
    "rejected": "!",
    "void": "?",
    "replicate": "○",
    "back": "↩",
}
"""One sign per verdict, and for a replicate and a return to the baseline."""

LEGEND = "● keep  · discard  × crash  ! rejected  ○ replicate  ↩ back  ? void"
NONE = "–"
"""What stands where there is no number."""

TEXT_LIMIT = 200
"""Longest single line of foreign text, in characters."""

LINES_LIMIT = 2000
"""Most lines of a foreign text that is shown in full."""


def bpb(value: float | None) -> str:
    """Bits per byte: five decimals, no sign."""
    return NONE if value is None else f"{value:.5f}"


def delta(value: float | None) -> str:
    """A difference in BPB, five decimals and signed: plus is an improvement."""
    return NONE if value is None else _signed(value, 5)


def sigmas(value: float | None) -> str:
    """The same in units of the noise, one decimal."""
    return NONE if value is None else f"{_signed(value, 1)} σ"


def money(value: float | None) -> str:
    """Dollars and cents."""
    return NONE if value is None else f"${value:.2f}"


def spent(usd: float, unanswered: float) -> str:
    """Dollars, and how many of them are only set aside for calls without a reply, which may have been paid for."""
    aside = f" ({money(unanswered)} of it set aside for calls without a reply)" if unanswered >= 0.005 else ""
    return money(usd) + aside


def probability(value: float | None) -> str:
    """A probability as a whole percentage; 0 % and 100 % only when they are."""
    if value is None:
        return NONE
    shown = round(100 * value)
    if shown == 0 < value:
        return "<1 %"
    return ">99 %" if shown == 100 and value < 1 else f"{shown} %"


def number(value: float | None, decimals: int = 2) -> str:
    """Any other number."""
    return NONE if value is None else f"{value:.{decimals}f}"


def signed(value: float | None, decimals: int = 2) -> str:
    """A number of which the sign matters."""
    return NONE if value is None else _signed(value, decimals)


def count(value: int | None) -> str:
    """A whole number with thousands set apart."""
    return NONE if value is None else f"{value:,}"


def plural(value: int, word: str) -> str:
    """`1 round`, `2 rounds`, `1,000 rounds`."""
    return f"{value} {word}" if value == 1 else f"{value:,} {word}s"


def duration(seconds: float | None) -> str:
    """Seconds as people say them: 45 s, 12 min, 3 h 05 min."""
    if seconds is None:
        return NONE
    whole = max(0, round(seconds))
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def symbol(kind: str | None) -> str:
    """The sign of a verdict; a space where there is none."""
    return SYMBOLS.get(kind or "", " ")


def clean(text: object, limit: int = TEXT_LIMIT) -> str:
    """Foreign text as one inert line: nothing that moves a cursor, hides, reorders or runs on."""
    whole = str(text)
    line = " ".join("".join(map(_inert, whole[: 4 * limit])).replace("\n", " ⏎ ").split())
    cut = len(line) > limit or len(whole) > 4 * limit
    return line[: limit - 1].rstrip() + "…" if cut else line


def clean_lines(text: object, limit: int = LINES_LIMIT, width: int = 1000) -> list[str]:
    """Foreign text of several lines, such as a diff: each line inert, tabs as spaces, bounded both ways."""
    lines = str(text).split("\n", limit)
    rest = lines[limit:]
    shown = ["".join(map(_inert, line.expandtabs(4)[: width + 1])) for line in lines[:limit]]
    shown = [line if len(line) <= width else line[:width] + "…" for line in shown]
    if shown and not shown[-1]:
        shown.pop()
    return [*shown, f"… {plural(rest[0].count(chr(10)) + 1, 'more line')}"] if rest and rest[0] else shown


def whole_lines(text: object) -> list[str]:
    """Foreign text in full, such as a prompt or a reply: each line inert, tabs as spaces, nothing cut."""
    return [_inert_line(line.expandtabs(4)) for line in str(text).split("\n")]


def prose(text: object, limit: int = 8000) -> str:
    """Foreign text in its own lines, such as a critique, inert and bounded; the cut says how much is left out."""
    whole = str(text).strip()
    rest = len(whole) - limit
    shown = "\n".join(whole_lines(whole[:limit]))
    return f"{shown}… ({count(rest)} more characters)" if rest > 0 else shown


def _inert_line(line: str) -> str:
    plain = line.isascii() and line.isprintable()
    return line if plain else "".join(map(_inert, line))


def _inert(character: str) -> str:
    """The character itself, or a visible stand-in when it could do anything but be seen."""
    if character in "\n ":
        return character
    code = ord(character)
    if code < 0x20:
        return " " if character == "\t" else chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or code in _BLANK:
        return f"<U+{code:04X}>"
    return " " if unicodedata.category(character) == "Zs" else character


_BLANK = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10)}
"""Characters that print as nothing although Unicode does not call them format characters."""


def _signed(value: float, decimals: int) -> str:
    text = f"{value:+.{decimals}f}"
    return text.replace("-", "+", 1) if float(text) == 0 else text
