"""The bytes under a provider's library: how many may come, how slowly, and what of them is kept.

What: `watching` opens a `Wire` around one request, and `cap_response`, an event hook of every httpx client, counts the
bytes of its response there. Why: a reply of gigabytes, a line without end, a byte a second and a body that is no reply
must cost a member its answer, never the process; and what came back instead of a reply must leave a trace. How to
extend: a new limit is one more line in `Wire.count`. Works for any generation of httpx, and imports none.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from council.members.provider import Malformed, TooLong, TooSlow

BYTES_LIMIT, BYTES_PER_TOKEN = 4_000_000, 600
"""Most bytes of one reply: whichever is more. A token that arrives alone has some 300 bytes of event around it."""
LINE_LIMIT = 4_000_000
"""Most bytes of one line; the last event of a long reply repeats all of it in one."""
DRIP_SECONDS, DRIP_CHUNKS, DRIP_BYTES = 20.0, 15, 8.0
"""Bytes that drip: after so many seconds and chunks, fewer bytes than this in the mean chunk."""
HEAD = 4_000
"""Bytes kept of any body, to show what came instead of a reply."""
PIECE = 16_384
"""A packed body is unpacked in pieces of this many bytes, so that a small one cannot fill the memory at once."""
PACKINGS = ("", "identity", "gzip", "x-gzip", "deflate")
IDS = ("request-id", "x-request-id", "x-amzn-requestid", "apim-request-id")
ID_LENGTH = 200


@dataclass
class Wire:
    """The response to one request: its status, the provider's id of it, and its bytes as they were counted."""

    limit: int = BYTES_LIMIT
    status: int = 0
    request_id: str = ""
    head: bytearray = field(default_factory=bytearray)
    body: bytearray | None = None
    """The whole body, where it is no stream of events."""
    total: int = 0
    line: int = 0

    def begin(self, response: Any) -> None:
        """A response has begun. Raises Malformed where its packing could not be counted."""
        headers = response.headers
        self.status, self.total, self.line, self.head = response.status_code, 0, 0, bytearray()
        self.request_id = next((found for name in IDS if (found := headers.get(name))), "")[:ID_LENGTH]
        self.body = None if "event-stream" in headers.get("content-type", "") else bytearray()
        packing = headers.get("content-encoding", "").strip().lower()
        if packing not in PACKINGS:
            raise Malformed(f"the reply is packed as {packing[:40]!r}, which was not asked for")

    def count(self, data: bytes) -> None:
        """Add unpacked bytes."""
        self.total += len(data)
        if self.total > self.limit:
            raise TooLong(f"the reply has more than {self.limit} bytes")
        at = data.rfind(b"\n")
        self.line = self.line + len(data) if at < 0 else len(data) - at - 1
        if self.line > LINE_LIMIT:
            raise TooLong(f"a line of the reply has more than {LINE_LIMIT} bytes")
        if len(self.head) < HEAD:
            self.head += data[: HEAD - len(self.head)]
        if self.body is not None:
            self.body += data


_WIRE: ContextVar[Wire | None] = ContextVar("wire", default=None)


@contextmanager
def watching(max_tokens: int) -> Iterator[Wire]:
    """What comes back to the request that is sent inside, of at most so many tokens."""
    wire = Wire(max(BYTES_LIMIT, BYTES_PER_TOKEN * max_tokens))
    token = _WIRE.set(wire)
    try:
        yield wire
    finally:
        _WIRE.reset(token)


async def cap_response(response: Any) -> None:
    """An event hook of an httpx client: the bytes of this response are counted, and too many or too slow end it."""
    wire = _WIRE.get() or Wire()
    wire.begin(response)
    raw, unpacked = response.aiter_raw, response.aiter_bytes
    packed = bool(response.headers.get("content-encoding"))

    async def slow(chunk_size: int | None = None) -> AsyncIterator[bytes]:
        total, chunks, started = 0, 0, time.monotonic()
        async for chunk in raw(chunk_size):
            total, chunks = total + len(chunk), chunks + 1
            if time.monotonic() - started > DRIP_SECONDS and chunks > DRIP_CHUNKS and total / chunks < DRIP_BYTES:
                raise TooSlow(f"the reply only drips: {total} bytes in {time.monotonic() - started:.0f} s")
            for at in range(0, len(chunk), PIECE) if packed else ():
                yield chunk[at : at + PIECE]
            if not packed:
                yield chunk

    async def counted(chunk_size: int | None = None) -> AsyncIterator[bytes]:
        async for data in unpacked(chunk_size):
            wire.count(data)
            yield data

    response.aiter_raw, response.aiter_bytes = slow, counted
