"""What the three doors to providers share: one request, its stream gathered within limits, one reply or one failure.

What: `StreamedProvider.complete` opens a stream, hands each event to the door's `take`, and ends at the reply's end,
also where the server leaves the line open. Why: all doors must give up, keep and count by the same rules. How to
extend: a door says how it opens a stream, what an event adds, how its usage is counted, and how to read a body that is
no stream.
"""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from council.members.provider import Broken, Declined, Malformed, Provider, Reply, Request, TooLong, Truncated
from council.members.provider_counts import number, plain
from council.members.provider_failures import StreamError, failure_of
from council.members.provider_wire import HEAD, Wire, watching
from council.redact import redact

TEXT_LIMIT = 400_000
"""Most characters of one reply."""
THOUGHT_LIMIT = 200_000
"""Characters of shown thinking that are kept."""
GRACE = 5.0
"""Seconds for what may follow the end of the text: the usage, and the end of the stream."""


@dataclass(frozen=True)
class Counts:
    """The tokens of a usage. `read` holds all of the prompt, those read from and written to a cache included."""

    read: int = 0
    cached: int = 0
    stored: int = 0
    written: int = 0


class Gathered:
    """A reply as it arrives. `stop` is why it stopped, once that is known; after `ended` nothing follows."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.thoughts: list[str] = []
        self.length = self.thought = 0
        self.said: dict[str, Any] = {}
        self.usage: dict[str, Any] = {}
        self.stop = ""
        self.refused = self.ended = False

    def add(self, text: Any) -> None:
        """Text of the reply; some servers send it in parts, or none."""
        said = _text(text)
        self.parts.append(said)
        self.length += len(said)
        if self.length > TEXT_LIMIT:
            raise TooLong(f"the reply has more than {TEXT_LIMIT} characters")

    def think(self, text: Any) -> None:
        """Thinking that the model shows: paid for like text."""
        if (said := _text(text)) and self.thought < THOUGHT_LIMIT:
            self.thoughts.append(said)
            self.thought += len(said)

    def use(self, usage: Any) -> None:
        """Add a usage, an object of a library or a mapping; what says nothing does not undo what was said before."""
        found = usage.model_dump(warnings=False) if hasattr(usage, "model_dump") else usage
        for key, value in plain(found).items() if isinstance(found, Mapping) else ():
            if key not in self.usage or number(value) or isinstance(value, dict):
                self.usage[key] = value

    def text(self) -> str:
        return "".join(self.parts)[:TEXT_LIMIT]


class StreamedProvider(Provider):
    """A door whose replies are streamed."""

    @abstractmethod
    async def open(self, client: Any, request: Request, seconds: float) -> Any:
        """Send the request; an asynchronous iterator over events, with `close` or `aclose`."""

    @abstractmethod
    def take(self, event: Any, found: Gathered) -> None:
        """Add one event."""

    @abstractmethod
    def whole(self, body: Mapping[str, Any], found: Gathered) -> None:
        """Add a body that came in one piece although a stream was asked for."""

    @abstractmethod
    def counts(self, usage: Mapping[str, Any]) -> Counts:
        """The tokens that a usage says."""

    async def complete(self, request: Request, seconds: float) -> Reply:
        found = Gathered()
        with watching(request.max_tokens) as wire:
            try:
                client = await self.client()
                async with asyncio.timeout(seconds) as clock:
                    stream = await self.open(client, request, seconds)
                    await self._read(stream, found, clock)
                self._unstreamed(found, wire)
            except Exception as error:
                if not (found.stop and found.length):  # else the reply was whole before anything went wrong
                    raise failure_of(error, self._reply(found, wire), wire.status, self.api_key) from None
        return finished(self._reply(found, wire), "refusal" if found.refused else found.stop)

    async def _read(self, stream: AsyncIterator[Any], found: Gathered, clock: asyncio.Timeout) -> None:
        """Take events until the reply is whole; a server that then keeps silent is not waited for."""
        try:
            async for event in stream:
                known = found.stop
                self.take(event, found)
                if found.ended:
                    return
                if found.stop and not known:
                    soon = asyncio.get_running_loop().time() + GRACE
                    clock.reschedule(min(soon, clock.when() or soon))
        finally:
            close = getattr(stream, "aclose", None) or getattr(stream, "close", None)
            if close is not None:
                with suppress(Exception):  # whatever had to be said was said by the stream
                    await close()

    def _unstreamed(self, found: Gathered, wire: Wire) -> None:
        """Where no text was streamed: the body as one piece, if it is one."""
        if found.length or not wire.body:
            return
        with suppress(ValueError, RecursionError):
            body = json.loads(wire.body)
            if not isinstance(body, dict):
                return
            if body.get("error"):
                found.usage.clear()  # litellm makes one up
                raise StreamError(json.dumps(body["error"]))
            found.stop = ""
            self.whole(body, found)

    def _reply(self, found: Gathered, wire: Wire) -> Reply:
        """What has arrived so far; of a body without text, how it begins."""
        raw = {**found.said, "stop": found.stop, "usage": found.usage}
        if found.thoughts:
            raw["thought"] = "".join(found.thoughts)[:THOUGHT_LIMIT]
        if not found.length and wire.head:
            raw["body"] = _beginning(bytes(wire.head), self.api_key or "")
        counts = self.counts(found.usage)
        return Reply(
            found.text(),
            tokens_in=counts.read,
            tokens_cached=counts.cached,
            tokens_written=counts.stored,
            tokens_out=counts.written,
            request_id=wire.request_id or str(found.said.get("id") or "")[:200],
            raw=plain(raw),
        )


def finished(reply: Reply, stop: str) -> Reply:
    """The reply, or the failure its reason for stopping stands for."""
    if stop in ("max_tokens", "length", "max_output_tokens", "model_context_window_exceeded"):
        raise Truncated(f"the reply stops at the limit of tokens ({reply.tokens_out} written)", reply=reply)
    if stop in ("refusal", "content_filter"):
        raise Declined(f"the provider stopped the reply: {stop}", reply=reply)
    if not stop and not reply.text and not reply.raw.get("id"):
        raise Malformed("what came back is no reply of this kind of provider", reply=reply)
    if not stop:
        raise Broken("the stream ended before the reply was complete", reply=reply)
    if not reply.text.strip():
        raise Malformed("the reply is empty", reply=reply)
    return reply


def total(usage: Mapping[str, Any], read: int, written: int) -> int:
    """Tokens written, thinking included also where a server counts it in the total alone."""
    return max(written, number(usage.get("total_tokens")) - read) if read else written


def _text(value: Any) -> str:
    """The text of a piece of a reply, however a server packs it."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return _text(value.get("text"))
    return "".join(_text(part) for part in value) if isinstance(value, list) else ""


def _beginning(body: bytes, key: str) -> str:
    """How a body begins, without the key, nor a part of it where the body was cut."""
    text = redact(body.decode("utf-8", "replace"), [key])
    part = next((n for n in range(len(key) - 1, 3, -1) if text.endswith(key[:n])), 0)
    return text[: len(text) - part if len(body) >= HEAD else None][: HEAD // 2]
