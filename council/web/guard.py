"""What keeps the pages harmless: GET only, known hosts only, a strict policy of content, no character that acts.

An ASGI layer around everything, Datasette's own pages included; those about the server itself (`/-/`) are closed. HTML
is searched for characters that hide or reorder text, CSV for cells that a spreadsheet would compute. How to extend: a
new rule about responses goes into `_inert`.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_COMMON = "default-src 'none'; img-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
OURS = _COMMON + "script-src 'self'; style-src 'self'; form-action 'self'"
"""The policy of our pages: no inline script, no inline style, no eval, nothing from elsewhere."""

THEIRS = _COMMON + "script-src 'none'; style-src 'self' 'unsafe-inline'; form-action 'self'"
"""Of Datasette's own pages: their scripts are off, their few style attributes stay."""

DRAWING = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
"""Of a chart as a file of its own."""

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
ADDRESS_BYTES = 8192
"""Longest address that is answered; the SQL of a question stands in it."""

MOST_PARAMETERS = 100
"""More than any page knows. Datasette's time over an address grows with the square of their number."""

LOCAL = ("localhost", "127.0.0.1", "::1")

_ACTS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


_FORMULA = re.compile(r"[\s\x00-\x1f]*[=+\-@|%]")
_NUMBER = re.compile(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?", re.IGNORECASE)


class Guard:
    """The layer. `hosts` are names that a request may be for; addresses are always fine when `any_address`."""

    def __init__(self, app: App, hosts: Iterable[str] = LOCAL, any_address: bool = False) -> None:
        self.app = app
        self.hosts = {host.lower() for host in hosts}
        self.any_address = any_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["method"] not in ("GET", "HEAD"):
            await _refuse(send, 405, "Only GET: these pages change nothing.")
        elif len(scope["path"]) + len(scope["query_string"]) > ADDRESS_BYTES:
            await _refuse(send, 414, f"The address is longer than {ADDRESS_BYTES} bytes. Ask a shorter question.")
        elif scope["query_string"].count(b"&") >= MOST_PARAMETERS:
            await _refuse(send, 400, f"The address has more than {MOST_PARAMETERS} parameters. Ask for fewer.")
        elif scope["path"].startswith(("/-/", "//")):  # Datasette would redirect `//evil.example/` to that host
            await _refuse(send, 404, "There is no such page.")
        elif not self._known(scope):
            await _refuse(send, 421, "This host name is not one of this server's. Use http://127.0.0.1 and its port.")
        else:
            await _Answer(self.app, send, scope["path"]).run(scope, receive)

    def _known(self, scope: Scope) -> bool:
        values = [value for name, value in scope["headers"] if name == b"host"]
        if len(values) != 1:
            return False
        host = re.sub(r":\d*$", "", values[0].decode("latin-1").lower()).strip("[]")
        return host in self.hosts or (self.any_address and _is_address(host))


class _Answer:
    """One response: headers are added, HTML and CSV are held back until they are complete."""

    def __init__(self, app: App, send: Send, path: str) -> None:
        self.app = app
        self.send = send
        self.path = path
        self.start: MutableMapping[str, Any] | None = None
        self.held: list[bytes] | None = None

    async def run(self, scope: Scope, receive: Receive) -> None:
        """Answer; what no page caught is told in words, not as a traceback on the terminal."""
        try:
            await self.app(scope, receive, self.take)
        except Exception as error:
            if self.start is not None and self.held is None:
                raise  # half of the answer has left
            await _refuse(self.send, 500, f"The page failed: {type(error).__name__}. Nothing was changed.")

    async def take(self, message: MutableMapping[str, Any]) -> None:
        """A message on its way out."""
        if message["type"] == "http.response.start":
            self.start = message
            kind = _header(message, b"content-type")
            if kind.startswith(("text/html", "text/csv", "text/plain")):
                self.held = []
                return
            message["headers"] = _headers(message)
        elif message["type"] == "http.response.body" and self.held is not None and self.start is not None:
            self.held.append(message.get("body", b""))
            if message.get("more_body"):
                return
            table = self.path.endswith(".csv") and self.start["status"] == 200
            body = _inert(b"".join(self.held), "text/csv" if table else _header(self.start, b"content-type"))
            self.start["headers"] = [
                *(pair for pair in _headers(self.start) if pair[0].lower() != b"content-length"),
                (b"content-length", str(len(body)).encode()),
            ]
            await self.send(self.start)
            await self.send({"type": "http.response.body", "body": body})
            return
        await self.send(message)


def _header(message: MutableMapping[str, Any], name: bytes) -> str:
    return next((v.decode("latin-1") for k, v in message["headers"] if k.lower() == name), "")


def _headers(message: MutableMapping[str, Any]) -> list[tuple[bytes, bytes]]:
    """The response's own headers and ours; a policy that a page has set stays."""
    own = [(k, v) for k, v in message["headers"] if k.lower().decode() not in (*HEADERS, "set-cookie")]
    found = {**HEADERS}
    if not _header(message, b"content-security-policy"):
        found["content-security-policy"] = THEIRS
    if (_header(message, b"cache-control")).startswith("private, max-age"):
        found["cache-control"] = _header(message, b"cache-control")
    return [*own, *((k.encode(), v.encode()) for k, v in found.items())]


def _inert(body: bytes, kind: str) -> bytes:
    """The text with every character that acts made visible; in CSV also every cell that would compute."""
    text = body.decode("utf-8", "replace")
    mark = "&lt;U+{:04X}&gt;" if kind.startswith("text/html") else "<U+{:04X}>"
    if kind.startswith("text/csv"):
        out = io.StringIO()
        csv.field_size_limit(1 << 28)
        csv.writer(out, lineterminator="\r\n").writerows(map(_cells, csv.reader(io.StringIO(text, newline=""))))
        text = out.getvalue()
    return visible(text, mark).encode("utf-8", "replace")


def visible(text: str, mark: str = "<U+{:04X}>") -> str:
    """The text with every character that acts written out."""
    return _ACTS.sub(lambda m: mark.format(ord(m[0])), text)


def _cells(row: list[str]) -> list[str]:
    """Cells of which none starts a formula; numbers stay numbers."""
    return [f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell for cell in row]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _refuse(send: Send, status: int, text: str) -> None:
    headers = [(k.encode(), v.encode()) for k, v in {**HEADERS, "content-type": "text/plain; charset=utf-8"}.items()]
    headers += [(b"allow", b"GET, HEAD"), (b"content-security-policy", OURS.encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": (text + "\n").encode()})
