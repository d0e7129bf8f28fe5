"""A provider on this machine: a real HTTP server that speaks as OpenAI, Anthropic and any chat completion server do.

What: `Loopback` answers `/v1/responses`, `/v1/messages` and `/v1/chat/completions`, streamed or not, with scripted
replies, with those of a brain that reads the council's prompts, or with any fault on demand. Why: the libraries behind
members fail in ways that no fake of theirs shows. How to run:

    with Loopback(replies=["TITLE: …", Fault("429", retry_after=0.1)]) as provider:   # then what `brain` says
        member = OpenAIMember("gpt", model="gpt-test", base_url=provider.url, price={"input": 1, "output": 2})

or `python -m council.testing.loopback 8080` to point a council.yaml at it. How to extend: a fault is a branch of
`_fault`, an interface a set of events in `loopback_wire.py`.
"""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from council.testing.loopback_brain import answer
from council.testing.loopback_quirks import QUIRKS, altered
from council.testing.loopback_wire import INTERFACES, Interface, tokens_of

FAULTS = (
    *("400", "401", "403", "404", "429", "500", "503", "529"),
    *("timeout", "reset", "cut", "vanish", "vanish_at_once", "empty", "truncated", "filtered", "refused"),
    *("bad_json", "bad_sse", "error_event", "huge", "drip", "long_line", "bomb"),
    *("page", "quota", "redirect", "error_body", "filter_400"),
)
"""Everything that can go wrong on demand."""
HUGE = 10_000_000
BOMB = gzip.compress(b"data: " + b"x" * (5 * HUGE))
"""50 kB that unpack to fifty million bytes."""
STATUS = {
    "400": "invalid_request_error",
    "401": "authentication_error",
    "403": "permission_error",
    "404": "not_found_error",
    "429": "rate_limit_error",
    "500": "api_error",
    "503": "api_error",
    "529": "overloaded_error",
}


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with one request; `text` is what was on its way."""

    name: str
    retry_after: float | None = None
    text: str = "TITLE: an answer that does not arrive whole"
    seconds: float = 30.0


@dataclass(frozen=True)
class Asked:
    """One request as it arrived: the interface's name, its body, its headers, and all its text."""

    interface: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    text: str

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))


@dataclass
class Loopback:
    """The server. `brain` answers what no scripted reply is left for; `delay` is seconds before each answer.

    With `any_path` it answers at every address, as a chat completion where it knows no better.
    """

    replies: Iterable[str | Fault] = ()
    brain: Callable[[Asked], str | Fault] = field(default=lambda asked: answer(asked.text, asked.model))
    delay: float = 0.0
    port: int = 0
    any_path: bool = False
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.script = deque(self.replies)
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.billed = 0

    def __enter__(self) -> Loopback:
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.loopback = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The address, without /v1."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def next(self, asked: Asked) -> str | Fault:
        """What this request gets: the next scripted reply, or the brain's."""
        with self.lock:
            self.asked.append(asked)
            scripted = self.script.popleft() if self.script else None
        return scripted if scripted is not None else self.brain(asked)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    loopback: Loopback

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        loopback = self.server.loopback
        length = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(length)
        if len(data) < length:
            return None  # whoever asked was killed on the way
        body = json.loads(data or b"{}")
        found = next((i for i in INTERFACES if self.path.rstrip("/").endswith(i.path)), None)
        if found is None and self.server.loopback.any_path:
            found = INTERFACES[-1]
        if found is None:
            return self._json(404, {"error": {"type": "not_found_error", "message": f"no {self.path} here"}})
        asked = Asked(found.name, body, dict(self.headers), found.text_of(body))
        said = loopback.next(asked)
        loopback.ended.wait(loopback.delay) if loopback.delay else None
        with suppress(OSError):
            if isinstance(said, Fault):
                self._fault(found, asked, said)
            else:
                self._answer(found, asked, said, found.stop)
        return None

    def _answer(self, interface: Interface, asked: Asked, text: str, stop: str) -> None:
        """A whole reply, as one JSON object or as a stream."""
        loopback = self.server.loopback
        with loopback.lock:
            loopback.billed += 1
        if not asked.body.get("stream"):
            return self._json(200, interface.whole(asked.model, text, stop, tokens_of(asked.text)))
        self._start_stream()
        for chunk in interface.stream(asked.model, text, stop, tokens_of(asked.text)):
            self._chunk(chunk)
        return self._chunk(b"")

    def _fault(self, interface: Interface, asked: Asked, fault: Fault) -> None:
        name, loopback = fault.name, self.server.loopback
        if name in STATUS:
            headers = {"x-request-id": f"req_{len(loopback.asked)}", "request-id": f"req_{len(loopback.asked)}"}
            headers |= {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
            key = self.headers.get("x-api-key") or self.headers.get("Authorization")
            told = f"loopback was told to answer {name} to {key}"  # some providers do repeat a key
            error = {"type": STATUS[name], "message": told, "code": STATUS[name]}
            self._json(int(name), {"type": "error", "error": error}, headers)
        elif name == "timeout":
            loopback.ended.wait(fault.seconds)
        elif name == "reset":
            self._reset()
        elif name == "vanish_at_once":
            self.close_connection = True
        elif name in ("empty", "truncated", "filtered", "refused"):
            text = "" if name == "empty" else fault.text
            self._answer(interface, asked, text, interface.stops.get(name, interface.stop))
        elif name == "huge":
            self._answer(interface, asked, "x" * HUGE, interface.stop)
        elif name == "bad_json":
            self._raw(200, "application/json", b'{"id": "x", "choices": [{"message": {"content": "half of')
        elif name in QUIRKS:
            self._quirk(interface, asked, fault)
        elif name == "page":
            self._raw(200, "text/html", b"<html><body>Please log in.</body></html>")
        elif name == "error_body":
            self._json(200, {"error": {"message": "an internal hiccup", "type": "server_error", "code": 500}})
        elif name == "quota":
            self._json(429, {"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}})
        elif name == "filter_400":
            self._json(400, {"error": {"message": "It was filtered.", "code": "content_filter"}})
        elif name == "redirect":
            self._raw(307, "text/plain", b"", {"Location": self.path})
        elif name == "bomb":
            self._raw(200, "text/event-stream", BOMB, {"Content-Encoding": "gzip"})
        else:
            self._broken_stream(interface, asked, fault)

    def _quirk(self, interface: Interface, asked: Asked, fault: Fault) -> None:
        """A whole answer, sent in an unusual way."""
        read = tokens_of(asked.text)
        if fault.name == "whole":
            return self._json(200, interface.whole(asked.model, fault.text, interface.stop, read))
        chunks = list(altered(fault.name, interface.stream(asked.model, fault.text, interface.stop, read)))
        if fault.name == "packed":
            return self._raw(200, "text/event-stream", gzip.compress(b"".join(chunks)), {"Content-Encoding": "gzip"})
        self._start_stream()
        for chunk in chunks:
            self._chunk(chunk)
        if fault.name == "open_end":
            self.server.loopback.ended.wait(fault.seconds)
        return self._chunk(b"")

    def _broken_stream(self, interface: Interface, asked: Asked, fault: Fault) -> None:
        """A stream that begins well and does not end so."""
        chunks = list(interface.stream(asked.model, fault.text, interface.stop, tokens_of(asked.text)))
        self._start_stream()
        if fault.name == "drip":
            for byte in b"".join(chunks):
                if self.server.loopback.ended.wait(min(1.0, fault.seconds)):
                    return
                self._chunk(bytes([byte]))
            return
        if fault.name == "long_line":
            for _ in range(HUGE // 50_000):
                self._chunk(b"x" * 50_000)
        for chunk in chunks[: max(1, len(chunks) // 2)]:
            self._chunk(chunk)
        if fault.name == "bad_sse":
            self._chunk(b'event: message\ndata: {"type": "half of an ob\n\n\x00\xff\n\n')
        elif fault.name == "error_event":
            self._chunk(interface.error("overloaded_error", "Overloaded"))
        if fault.name == "cut":  # in the middle of a chunk
            self.wfile.write(b"400\r\nhalf")
            self.wfile.flush()
            self._reset()
        elif fault.name != "timeout":
            self._chunk(b"")

    def _start_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("x-request-id", f"req_{len(self.server.loopback.asked)}")
        self.send_header("request-id", f"req_{len(self.server.loopback.asked)}")
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _json(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        self._raw(status, "application/json", json.dumps(body).encode(), headers)

    def _raw(self, status: int, kind: str, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _reset(self) -> None:
        """Close the connection so that the other side sees a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


def main() -> None:
    """Serve until interrupted, at the port on the command line."""
    import sys

    with Loopback(port=int(sys.argv[1]) if len(sys.argv) > 1 else 0) as provider:
        print(f"a loopback provider at {provider.url}", flush=True)
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)


if __name__ == "__main__":
    main()
