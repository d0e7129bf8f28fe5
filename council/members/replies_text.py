"""What all readers of replies share: tidying, JSON in whatever wrapping, probabilities in whatever notation.

What: pure functions from text to plain data. Why: proposals, ballots and comments come in the same wrappings. How to
extend: another wrapping goes into `tidy` or `as_json`, another notation of a probability into `number`. None of them
raises on any text.
"""

from __future__ import annotations

import html
import json
import math
import re
from typing import Any

LONGEST = 400_000
"""Characters of a reply that are read at all."""

_THOUGHT = re.compile(r"<(think|thinking|reasoning|scratchpad)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able|afraid)|i (?:can(?:no|')t|can not|won't|will not|must decline|decline)"
    r"|i am not comfortable|as an ai(?: language)? model|against my (?:guidelines|policy))\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.])(\d{1,3}(?:[.,]\d+)?|[.,]\d+)\s*(%|percent\b|per cent\b)?")
_RANGE = re.compile(r"(?:[-–—]|\s?to )(\d{1,3}(?:[.,]\d+)?|[.,]\d+)(?![\w.,]*\w)\s*(%|percent\b|per cent\b)?")
"""The second end of a range, right after the first."""
_FENCED = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n(.*?)^[ \t]*\1[ \t]*$", re.DOTALL | re.MULTILINE)


def tidy(text: str) -> str:
    """A reply with plain line ends, without thoughts, a byte-order mark, or markup that was escaped by mistake."""
    text = text[:LONGEST].replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "").replace("\x00", "")
    text = text.encode("utf-8", "replace").decode("utf-8")
    if "</think" in text or "</reasoning" in text or "</scratchpad" in text:
        text = _THOUGHT.sub("", text)
        for end in ("</think>", "</thinking>"):  # the opening tag is sometimes left out
            text = text.rpartition(end)[2] if end in text else text
    if "&lt;&lt;&lt;&lt;" in text and "<<<<" not in text:
        text = html.unescape(text)
    return text


def as_json(text: str) -> dict[str, Any] | None:
    """The JSON object that a reply is, or holds in a fence; a list becomes {"items": list}. None if there is none."""
    tries = [text.strip()] + [match[2].strip() for match in _FENCED.finditer(text)]
    start, end = text.find("{"), text.rfind("}")
    if 0 <= start < end and text[:start].count("\n") < 12 and "<<<<<<<" not in text[:start]:
        tries.append(text[start : end + 1])
    for candidate in tries:
        if candidate[:1] not in ("{", "["):
            continue
        try:
            found = json.loads(candidate, strict=False)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
        if isinstance(found, list) and found and all(isinstance(item, dict) for item in found):
            return {"items": found}
    return None


def number(said: object) -> float | None:
    """A probability from `0.35`, `.35`, `0,35`, `35%`, `7/20`, `about 35 percent`; None if none is from 0 to 1.

    Of a range such as `0.3-0.4` or `30 to 40 %` it is the middle.
    """
    if isinstance(said, bool):
        return None
    if isinstance(said, int | float):
        value = float(said)
        return value if math.isfinite(value) and 0 <= value <= 1 else value / 100 if 1 < value <= 100 else None
    if not isinstance(said, str) or re.match(r"\s*[-−]\s*\d", said):
        return None
    match = _NUMBER.search(said)
    if match is None:
        return None
    value = float(match[1].replace(",", "."))
    share = bool(match[2])
    if other := _RANGE.match(said, match.end()):
        high, high_share = float(other[1].replace(",", ".")), share or bool(other[2])
        if value <= high <= (100 if high_share else 1):
            value, share = (value + high) / 2, high_share
    if share:
        value /= 100
    elif whole := re.match(r"\s*/\s*(\d{1,3})(?![\d.,])", said[match.end() :]):
        value = value / int(whole[1]) if int(whole[1]) else math.inf
    return value if 0 <= value <= 1 else None


def refuses(text: str) -> bool:
    """Whether a reply without an answer reads like a refusal."""
    return bool(_REFUSAL.search(text[:600].replace("’", "'")))
