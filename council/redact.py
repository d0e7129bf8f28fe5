"""Secrets never reach the database: what looks like a key is replaced before a text is recorded.

What: `redact` for texts, `clean` for JSON values, `find` for an audit. Why: a key can arrive in a reply, a log or an
error of a provider, and a recorded row is never changed. How to extend: add a shape to `SHAPES`; the values of the
configured key variables are given by the caller, whatever they look like. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

MARK = "[redacted]"
SHORTEST = 8
"""A configured value shorter than this is not replaced: it would hit ordinary words."""

SHAPES = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic (sk-ant-), OpenRouter (sk-or-), DeepSeek
    r"|AIza[A-Za-z0-9_-]{30,}"  # Google
    r"|xai-[A-Za-z0-9_-]{16,}"
    r"|gsk_[A-Za-z0-9]{16,}"  # Groq
    r"|hf_[A-Za-z0-9]{16,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])"
    r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}"
    r")|(?i:(?<=bearer )|(?<=x-api-key: ))[A-Za-z0-9._~+/=-]{12,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
"""What keys of the common providers look like."""


def redact(text: str, values: Iterable[str] = ()) -> str:
    """The text with every secret replaced: the given values, and whatever has the shape of a key."""
    for value in values:
        if len(value) >= SHORTEST and value in text:
            text = text.replace(value, MARK)
    return SHAPES.sub(MARK, text)


def clean(value: Any, values: Iterable[str] = ()) -> Any:
    """The same for every text inside a JSON value, keys of mappings too."""
    values = tuple(values)
    if isinstance(value, str):
        return redact(value, values)
    if isinstance(value, dict):
        return {redact(str(k), values): clean(v, values) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [clean(v, values) for v in value]
    return value


def find(text: str) -> Iterator[int]:
    """Where in a text something has the shape of a key."""
    return (match.start() for match in SHAPES.finditer(text))
