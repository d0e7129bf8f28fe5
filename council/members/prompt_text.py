"""Other people's words inside a prompt: quoted, so that they cannot be taken for ours.

What: `quoted` prefixes every line of a text with `| `, `one_line` makes a title safe inside a sentence, `fence` finds a
fence that the code cannot close, `render` fills a template. Why: a member may write anything into a title, a
hypothesis, a comment or a training log; nothing it writes may look like a heading, a label or an instruction of the
council. How to extend: text of a member goes through `quoted` or `one_line`, always; templates are in `prompts/`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files

from council import tokens

TEXT_LIMIT = 200_000
"""Characters of a member's text that are looked at."""
LINE_LIMIT = 600
"""Longest quoted line, in characters; a longer one goes on in the next, since a hypothesis may be one paragraph."""
LITTLE = 200
"""Tokens up to which a text that was cut ends in the sign alone."""
GOES_ON = "… "
"""How a line begins that goes on the one before."""
_FIELD = re.compile(r"\{\{(\w+)\}\}")
_HUNK = re.compile(r"@@ -(\d{1,9})")
_CLOSING = str.maketrans({"`": "'", "|": "/"} | dict.fromkeys('"“”„‟″＂', "'"))
"""What a text on one line may not hold: it stands between double quotes, which nothing inside may close."""
_HIDDEN = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")


@cache
def template(name: str) -> str:
    """The text of a file in `prompts/`."""
    return files("council.members").joinpath("prompts", f"{name}.md").read_text(encoding="utf-8")


def render(name: str, **values: object) -> str:
    """A template with its fields filled, in one pass: what a value contains is never filled again."""
    return _FIELD.sub(lambda match: str(values[match[1]]), template(name))


def plain(text: str) -> str:
    """Text without control characters, escape sequences and invisible characters; tabs and line ends stay."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in _HIDDEN)


def quoted(text: str, most: int | None = None) -> str:
    """A text as quoted lines, of at most about `most` tokens."""
    if most is not None:  # wrapping what will not be shown takes long
        text = text[: most * 24 + LINE_LIMIT]
    body = "\n".join(part for line in plain(text[:TEXT_LIMIT]).split("\n") for part in _wrapped(line)).strip("\n")
    if most is not None:
        body = tokens.clip(body, most, "\n… (shortened)" if most > LITTLE else "…")
    return "\n".join(f"| {line}".rstrip() for line in body.split("\n"))


def _wrapped(line: str) -> list[str]:
    """A line in pieces of at most LINE_LIMIT characters, broken at a space where there is one; nothing is lost."""
    pieces = []
    while len(line) > LINE_LIMIT:
        at = line.rfind(" ", LINE_LIMIT // 2, LINE_LIMIT) + 1 or LINE_LIMIT
        pieces.append(line[:at].rstrip())
        line = GOES_ON + line[at:]
    return [*pieces, line]


def slim(diff: str) -> str:
    """A unified diff with one line of context and line numbers of the old file, for readers who have that file."""
    lines = diff.split("\n")
    lines = lines[2:] if lines[0].startswith("--- ") else lines
    changed = [line[:1] in ("+", "-") for line in lines]
    kept, number, apart = [], 1, True
    for i, line in enumerate(lines):
        if hunk := _HUNK.match(line):
            number, apart = int(hunk[1]), True
            continue
        if any(changed[max(0, i - 1) : i + 2]):
            kept += [f"@@ line {number} @@", line] if apart else [line]
        apart = not any(changed[max(0, i - 1) : i + 2])
        number += line[:1] not in ("+", "\\")
    return "\n".join(kept)


def tail_quoted(text: str, most: int) -> str:
    """The same for a log, whose end says more than its beginning."""
    lines = plain(text[-TEXT_LIMIT:]).strip("\n").split("\n")
    kept: list[str] = []
    left = most
    for line in reversed(lines):
        line = line if len(line) <= LINE_LIMIT else line[:LINE_LIMIT] + "…"
        left -= tokens.count(line) + 1
        if left < 0 and kept:
            break
        kept.insert(0, tokens.clip(line, most))
    head = [] if len(kept) == len(lines) else ["… (earlier lines left out)"]
    return "\n".join(f"| {line}".rstrip() for line in [*head, *kept])


def one_line(text: str, most: int) -> str:
    """A text on one line, of at most about `most` tokens, without what could close a quotation."""
    flat = " ".join(plain(text[:LINE_LIMIT]).split()).translate(_CLOSING)
    return tokens.clip(flat, most)


def fence(source: str) -> str:
    """A fence longer than any run of backticks in the text."""
    longest = max((len(run) for run in re.findall(r"`{3,}", source)), default=0)
    return "`" * max(3, longest + 1)
