"""How three interfaces put a reply on the wire: OpenAI's Responses, Anthropic's Messages, and chat completions.

What: per interface how to read a request's text and how to write a reply, whole or as server-sent events. Why: the
loopback provider must look to each library like the server it was made for. How to extend: an interface is one more
`Interface` in `INTERFACES`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PIECES = 12
"""A reply is sent in about this many pieces."""


def tokens_of(text: str) -> int:
    """Tokens as this provider counts them."""
    return len(text) // 4 + 1


def pieces(text: str) -> Iterator[str]:
    """A text in pieces."""
    size = max(1, len(text) // PIECES)
    return (text[at : at + size] for at in range(0, len(text), size))


@dataclass(frozen=True)
class Interface:
    """One way to speak. `stops` maps faults to the reason for stopping that says so."""

    name: str
    path: str
    stop: str
    stops: Mapping[str, str]
    text_of: Callable[[Mapping[str, Any]], str]
    whole: Callable[[str, str, str, int], dict[str, Any]]
    stream: Callable[[str, str, str, int], Iterator[bytes]]
    error: Callable[[str, str], bytes]


def _event(data: Mapping[str, Any], name: str | None = None) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content or () if isinstance(part, dict))


def _messages_text(messages: Any) -> str:
    return "\n\n".join(_content(message.get("content")) for message in messages or ())


# --- chat completions ---------------------------------------------------------------------------------------------


def _chat_usage(text: str, tokens_in: int) -> dict[str, Any]:
    out = tokens_of(text)
    return {"prompt_tokens": tokens_in, "completion_tokens": out, "total_tokens": tokens_in + out}


def _chat_whole(model: str, text: str, stop: str, tokens_in: int) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": stop}
    base = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model}
    return {**base, "choices": [choice], "usage": _chat_usage(text, tokens_in)}


def _chat_stream(model: str, text: str, stop: str, tokens_in: int) -> Iterator[bytes]:
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}

    def chunk(delta: Mapping[str, Any], reason: str | None) -> bytes:
        return _event({**base, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

    yield chunk({"role": "assistant", "content": ""}, None)
    for piece in pieces(text):
        yield chunk({"content": piece}, None)
    yield chunk({}, stop)
    yield _event({**base, "choices": [], "usage": _chat_usage(text, tokens_in)})
    yield b"data: [DONE]\n\n"


# --- Anthropic's Messages -----------------------------------------------------------------------------------------


def _anthropic_text(body: Mapping[str, Any]) -> str:
    return f"{_content(body.get('system'))}\n\n{_messages_text(body.get('messages'))}"


def _anthropic_usage(tokens_in: int, out: int) -> dict[str, Any]:
    cached = tokens_in // 2
    return {
        "input_tokens": tokens_in - cached,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": out,
    }


def _anthropic_whole(model: str, text: str, stop: str, tokens_in: int) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": _anthropic_usage(tokens_in, tokens_of(text)),
    }


def _anthropic_stream(model: str, text: str, stop: str, tokens_in: int) -> Iterator[bytes]:
    first = _anthropic_whole(model, "", stop, tokens_in) | {"content": [], "stop_reason": None}
    first["usage"] = _anthropic_usage(tokens_in, 1)
    block = {"type": "text", "text": ""}
    yield _event({"type": "message_start", "message": first}, "message_start")
    yield _event({"type": "content_block_start", "index": 0, "content_block": block}, "content_block_start")
    yield _event({"type": "ping"}, "ping")
    for piece in pieces(text):
        delta = {"type": "text_delta", "text": piece}
        yield _event({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")
    yield _event({"type": "content_block_stop", "index": 0}, "content_block_stop")
    last = {"delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": tokens_of(text)}}
    yield _event({"type": "message_delta", **last}, "message_delta")
    yield _event({"type": "message_stop"}, "message_stop")


# --- OpenAI's Responses -------------------------------------------------------------------------------------------


def _responses_text(body: Mapping[str, Any]) -> str:
    asked = body.get("input")
    return f"{body.get('instructions') or ''}\n\n{asked if isinstance(asked, str) else _messages_text(asked)}"


def _responses_whole(model: str, text: str, stop: str, tokens_in: int) -> dict[str, Any]:
    part = {"type": "refusal", "refusal": text} if stop == "refusal" else _text_part(text)
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    done = stop in ("completed", "refusal")
    out = tokens_of(text)
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": model,
        "status": "completed" if done else "incomplete",
        "incomplete_details": None if done else {"reason": stop},
        "error": None,
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": tokens_in,
            "input_tokens_details": {"cached_tokens": tokens_in // 2, "cache_write_tokens": 0},
            "output_tokens": out,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": tokens_in + out,
        },
    }


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


def _responses_stream(model: str, text: str, stop: str, tokens_in: int) -> Iterator[bytes]:
    whole = _responses_whole(model, text, stop, tokens_in)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    number = 0

    def event(kind: str, **more: Any) -> bytes:
        nonlocal number
        number += 1
        return _event({"type": kind, "sequence_number": number, **more}, kind)

    yield event("response.created", response=begun)
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    for piece in pieces(text):
        if stop == "refusal":
            yield event("response.refusal.delta", **at, delta=piece)
        else:
            yield event("response.output_text.delta", **at, delta=piece, logprobs=[])
    yield event("response.completed" if whole["status"] == "completed" else "response.incomplete", response=whole)


INTERFACES = (
    Interface(
        "responses",
        "/responses",
        "completed",
        {"truncated": "max_output_tokens", "filtered": "content_filter", "refused": "refusal"},
        _responses_text,
        _responses_whole,
        _responses_stream,
        lambda kind, said: _event(
            {"type": "error", "code": kind, "message": said, "param": None, "sequence_number": 99}, "error"
        ),
    ),
    Interface(
        "messages",
        "/messages",
        "end_turn",
        {"truncated": "max_tokens", "filtered": "refusal", "refused": "refusal"},
        _anthropic_text,
        _anthropic_whole,
        _anthropic_stream,
        lambda kind, said: _event({"type": "error", "error": {"type": kind, "message": said}}, "error"),
    ),
    Interface(
        "chat",
        "/chat/completions",
        "stop",
        {"truncated": "length", "filtered": "content_filter", "refused": "content_filter"},
        lambda body: _messages_text(body.get("messages")),
        _chat_whole,
        _chat_stream,
        lambda kind, said: _event({"error": {"type": kind, "message": said, "code": 529}}),
    ),
)
