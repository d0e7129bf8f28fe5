"""Answers of the loopback provider that are whole, in ways that few providers choose.

What: `QUIRKS` names them and `altered` changes the stream of an ordinary answer. Why: a reply that was paid for must
not be lost because it was counted oddly, packed, or sent in one piece. How to extend: a branch of `_usage` for another
way to count, of `altered` for another way to send.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

QUIRKS = (
    *("open_end", "whole", "packed", "news", "no_deltas", "odd_stop"),
    *("no_usage", "null_usage", "negative_usage", "nan_usage", "late_usage"),
)
"""`open_end` keeps the connection open after the end; `whole` streams nothing; `news` has events, fields and deltas
that no library knows yet; `no_deltas` of Responses sends the text once; `odd_stop` of chat completions stops for a
reason unheard of; `late_usage` counts the prompt at the end alone."""


def altered(name: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The events of an answer, with this quirk."""
    text = ""
    for chunk in chunks:
        head, mark, data = chunk.decode().partition("data: ")
        if not data.startswith("{"):
            yield chunk
            continue
        event = json.loads(data)
        if name == "no_deltas" and event.get("type") in ("response.output_text.delta", "response.completed"):
            text += str(event.get("delta", ""))
            if "response" in event:
                yield _sse("", mark, {**event, "type": "response.output_text.done", "text": text, "response": None})
                yield _sse(head, mark, {**event, "response": {**event["response"], "output": []}})
            continue
        if name == "news" and "delta" in event:
            yield b"data: 5\n\n" if "type" in event else b""
            yield _sse(head, mark, {**event, "type": "weather", "delta": None} if "type" in event else {"new": 1})
            if event["type"] == "content_block_delta":
                yield _sse(head, mark, {**event, "delta": {"type": "future_delta", "q": 3}})
                yield _sse(head, mark, {key: value for key, value in event.items() if key != "delta"})
        yield _sse(head, mark, _usage(name, event))


def _sse(head: str, mark: str, event: Any) -> bytes:
    return f"{head}{mark}{json.dumps(event)}\n\n".encode()


def _usage(name: str, event: Any, read: int = 0) -> Any:
    if not isinstance(event, dict):
        return event
    changed = {key: _usage(name, value) for key, value in event.items()}
    if name == "odd_stop" and event.get("finish_reason"):
        changed["finish_reason"] = "eos_token"
    used = event.get("usage")
    if isinstance(used, dict):
        if name == "no_usage":
            del changed["usage"]
        elif name == "null_usage":
            changed["usage"] = None
        elif name in ("negative_usage", "nan_usage"):
            wrong = -9000 if name == "negative_usage" else float("nan")
            changed["usage"] = {key: wrong for key, value in used.items() if isinstance(value, int)}
        elif name == "late_usage" and event.get("type") in ("message", "message_delta"):
            begun = event["type"] == "message"
            changed["usage"] = {"input_tokens": 0, "output_tokens": 1} if begun else {**used, "input_tokens": 4321}
    return changed
