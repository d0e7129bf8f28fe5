"""Counts of tokens that can be true: what a provider says of a reply, or what the council counts itself.

What: `number` reads one count of a usage, `plain` makes a value of a provider fit for JSON, `sane` replaces what a
reply does not say or cannot mean. Why: money is counted from these, and some servers count nothing, too late, with the
wrong sign, or in words. How to extend: a new reason to doubt a count is a line in `_believed`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from council import tokens
from council.members.provider import Reply, Request

MOST = 10_000_000
"""No prompt and no reply has more tokens."""
LEAST_SHARE = 0.25
"""Tokenizers differ; one that counts less than this share of what ours counts has left something out."""


def number(value: Any) -> int:
    """A count of tokens, 0 for anything that is none."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0
    return int(found) if 0 <= found <= MOST else 0


def plain(value: Any, depth: int = 8) -> Any:
    """The same value in what JSON has."""
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if math.isfinite(value) and abs(value) < 2**63 else repr(value)
    if isinstance(value, Mapping) and depth:
        return {str(key): plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple) and depth:
        return [plain(item, depth - 1) for item in value]
    return repr(value)[:1000]


def prompt_tokens(request: Request) -> int:
    """Tokens of a request as we count them, everything that was said before included."""
    said = "".join(text for pair in request.dialogue for text in pair)
    return tokens.count(request.system + request.prefix + request.prompt + said)


def sane(reply: Reply, request: Request) -> Reply:
    """The reply with counts that can be true; `raw["counted"]` names those that are the council's own."""
    read = prompt_tokens(request)
    written = tokens.count(reply.text) + tokens.count(str(reply.raw.get("thought", "")))
    own: list[str] = []
    if not _believed(reply.tokens_in, read):
        own.append("tokens_in")
        reply = replace(reply, tokens_in=read, tokens_cached=0, tokens_written=0)
    if not _believed(reply.tokens_out, written):
        own.append("tokens_out")
        reply = replace(reply, tokens_out=written)
    cached = min(number(reply.tokens_cached), reply.tokens_in)
    stored = min(number(reply.tokens_written), reply.tokens_in - cached)
    raw = {**reply.raw, "counted": own} if own else reply.raw
    return replace(reply, tokens_cached=cached, tokens_written=stored, raw=raw)


def _believed(said: int, ours: int) -> bool:
    return number(said) == said and said >= ours * LEAST_SHARE
