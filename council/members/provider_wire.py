"""What the three doors to providers share: gathering a stream within limits, and reading any library's exception.

What: `Gathered` and `finished` make a stream a reply or a failure, `capped` counts the bytes under an httpx client, and
`failure_of` turns an exception of openai, anthropic, litellm or httpx into a `Failure`. Why: all of it differs in
wording only. How to extend: a library that fails in words of its own gets its line in `failure_of`. Imports no library:
exceptions are told apart by the names of their classes and by their status.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

from council.members.provider import (
    Broken,
    Declined,
    Failure,
    Malformed,
    Overloaded,
    RateLimited,
    Rejected,
    Reply,
    TooLong,
    TooSlow,
    Truncated,
    Unauthorised,
    UnknownModel,
    Unreached,
)

BYTES_LIMIT = 4_000_000
"""Most bytes of one reply on the wire; a whole train.py with every event around it is a tenth of this."""
TEXT_LIMIT = 400_000
"""Most characters of one reply."""
DRIP_SECONDS, DRIP_CHUNKS, DRIP_BYTES = 20.0, 15, 8.0
"""Bytes that drip: after so many seconds and chunks, fewer bytes than this in the mean chunk."""
SAID_LIMIT = 300


class Gathered:
    """The text of a stream as it arrives, with the limit on its length."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.length = 0
        self.fields: dict[str, Any] = {}

    def add(self, text: str | None) -> None:
        self.parts.append(text or "")
        self.length += len(text or "")
        if self.length > TEXT_LIMIT:
            raise TooLong(f"the reply has more than {TEXT_LIMIT} characters", reply=self.reply())

    def reply(self, **more: Any) -> Reply:
        """What has arrived so far."""
        return Reply("".join(self.parts)[:TEXT_LIMIT], **(self.fields | more))


def finished(reply: Reply, stop: str) -> Reply:
    """The reply, or the failure its reason for stopping stands for."""
    if stop in ("max_tokens", "length", "max_output_tokens", "model_context_window_exceeded"):
        raise Truncated(f"the reply stops at the limit of tokens ({reply.tokens_out} written)", reply=reply)
    if stop in ("refusal", "content_filter"):
        raise Declined(f"the provider stopped the reply: {stop}", reply=reply)
    if not stop and not reply.text and not reply.raw:
        raise Malformed("what came back is no reply of this kind of provider", reply=reply)
    if not stop:
        raise Broken("the stream ended before the reply was complete", reply=reply)
    if not reply.text.strip():
        raise Malformed("the reply is empty", reply=reply)
    return reply


def capped(response: Any) -> Any:
    """A response of httpx (of any generation) whose raw bytes are counted: too many or too slow end the stream."""
    raw = response.aiter_raw

    async def counted(chunk_size: int | None = None) -> AsyncIterator[bytes]:
        total, chunks, started = 0, 0, time.monotonic()
        async for chunk in raw(chunk_size):
            total, chunks = total + len(chunk), chunks + 1
            if total > BYTES_LIMIT:
                raise TooLong(f"the reply has more than {BYTES_LIMIT} bytes")
            if time.monotonic() - started > DRIP_SECONDS and chunks > DRIP_CHUNKS and total / chunks < DRIP_BYTES:
                raise TooSlow(f"the reply only drips: {total} bytes in {time.monotonic() - started:.0f} s")
            yield chunk

    response.aiter_raw = counted
    return response


async def cap_response(response: Any) -> None:
    """`capped` as an event hook of an httpx client."""
    capped(response)


def failure_of(error: BaseException, so_far: Reply | None = None) -> Failure:
    """The failure that an exception of any of the libraries stands for. Its text never holds a key."""
    for seen in _chain(error):
        if isinstance(seen, Failure):
            seen.reply = seen.reply or so_far
            return seen
    names = " ".join(kind.__name__ for seen in _chain(error) for kind in type(seen).__mro__)
    said = f"{type(error).__name__}: {' '.join(str(error).split())[:SAID_LIMIT]}".removesuffix(": ")
    status = next((s for e in _chain(error) if isinstance(s := getattr(e, "status_code", None), int)), None)
    # litellm gives a status to faults that never had one, and wraps a reset in a 500
    if "ContentPolicy" in names or "content_filter" in said or "content_policy" in said:
        return Declined(said, reply=so_far)
    if "Timeout" in names and status in (None, 408):
        return TooSlow(f"no whole reply in time ({said})", reply=so_far)
    if "JSONDecodeError" in names or "ValidationError" in names or "UnicodeDecodeError" in names:
        return Malformed(said, reply=so_far)
    if "ConnectError" in names or "ConnectionRefused" in names:
        return Unreached(said)
    if any(word in names for word in ("ConnectionError", "RemoteProtocolError", "ReadError", "ClientPayloadError")):
        return Broken(said, reply=so_far)
    if status is None or status < 400:  # an error inside a stream that began well
        status = _status_in(error)
    return _by_status(status, said, so_far, retry_after(error))


def _by_status(status: int | None, said: str, so_far: Reply | None, wait: float | None) -> Failure:
    if status in (401, 402, 403):
        return Unauthorised(said)
    if status == 404:
        return UnknownModel(said)
    if status == 429:
        return RateLimited(said, retry_after=wait)
    if status == 408:
        return TooSlow(said, reply=so_far)
    if status is not None and 400 <= status < 500:
        return Rejected(said)
    if status is not None and status >= 500:
        return Overloaded(said, retry_after=wait)
    return Malformed(said, reply=so_far)


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _status_in(error: BaseException) -> int | None:
    """The status that an error event in the middle of a stream stands for."""
    body = getattr(error, "body", None)
    text = json.dumps(body, default=str) if body else str(error)
    words = {"overloaded": 529, "rate_limit": 429, "server_error": 500, "api_error": 500, "authentication": 401}
    return next((status for word, status in words.items() if word in text), None)


def retry_after(error: BaseException) -> float | None:
    """The seconds a provider asks to wait, from whichever header the library kept."""
    for seen in _chain(error):
        for headers in (
            getattr(seen, "litellm_response_headers", None),
            getattr(getattr(seen, "response", None), "headers", None),
        ):
            if headers is None:
                continue
            for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
                try:
                    return max(0.0, float(headers[name]) * scale)
                except (KeyError, TypeError, ValueError):
                    continue  # missing, or a date: the back-off of our own will do
    return None
