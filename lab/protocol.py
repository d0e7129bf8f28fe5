"""What referee and box say to each other: JSON with a length in front, over an inherited socket pair.

Why so little: everything a box can make the referee do is in this file. A message is the JSON of its
kind and its fields, at most 64 kB, with at most one file descriptor; any other byte on the socket is a
Rejected, and the box is ended.

    box -> referee   ready · start · log(step, loss) · weights(names, shapes, dtypes)+fd
                     logits(shape, dtype)+fd · error(kind, type, message, line)
    referee -> box   go · tokens(count)+fd · weights(names, shapes, dtypes)+fd · rows(count)+fd
"""

import json
import os
import select
import socket
import struct
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from lab.errors import Rejected

MAX_MESSAGE = 64 * 1024  # bytes of JSON
_HEADER = struct.Struct(">I")
_WITH_DESCRIPTOR = frozenset({"weights", "logits", "tokens", "rows"})

Fields = dict[str, Any]


def _is_int(value: Any) -> bool:
    return type(value) is int and abs(value) < 1 << 53


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 8 and all(_is_int(n) and n >= 0 for n in value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 4096


def _is_loss(value: Any) -> bool:
    return value is None or type(value) in (int, float)


def _list_of(check: Any) -> Any:
    return lambda value: isinstance(value, list) and all(check(item) for item in value)


FROM_BOX: dict[str, dict[str, Any]] = {
    "ready": {},
    "start": {},
    "log": {"step": _is_int, "loss": _is_loss},
    "weights": {"names": _list_of(_is_text), "shapes": _list_of(_is_shape), "dtypes": _list_of(_is_text)},
    "logits": {"shape": _is_shape, "dtype": _is_text},
    "error": {"kind": _is_text, "type": _is_text, "message": _is_text, "line": _is_int},
}


@dataclass
class Message:
    """One message; `fd` is owned by whoever received it, -1 if there is none."""

    kind: str
    fields: Fields = field(default_factory=dict)
    fd: int = -1


def checked(message: Message) -> Message:
    """`message` if it is one that a box may send. Raises Rejected otherwise."""
    expected = FROM_BOX.get(message.kind)
    if expected is None or set(message.fields) != set(expected):
        raise Rejected(f"the box sent {_shown(message.kind)}, which is no message of the protocol")
    for name, is_valid in expected.items():
        if not is_valid(message.fields[name]):
            raise Rejected(f"the box sent {message.kind!r} with an invalid {name!r}")
    return message


class Channel:
    """One end of the socket pair. The referee polls it; the box waits on it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.closed = False  # whether the other side has hung up
        self._buffer = bytearray()
        self._fds: deque[int] = deque()

    def fileno(self) -> int:
        """So that `select` takes a channel."""
        return self.sock.fileno()

    def send(self, kind: str, /, fd: int = -1, **fields: Any) -> None:
        """Send one message, with `fd` if it is not -1. Raises OSError if the other side is gone."""
        body = json.dumps([kind, fields]).encode()
        if len(body) > MAX_MESSAGE:
            raise ValueError(f"{kind} has {len(body)} bytes, at most {MAX_MESSAGE} are allowed")
        data = memoryview(_HEADER.pack(len(body)) + body)
        sent = socket.send_fds(self.sock, [data], [fd] if fd >= 0 else [])
        self.sock.sendall(data[sent:])

    def receive(self) -> Message:
        """The next message, waiting for it. Raises EOFError if the other side hangs up."""
        while (message := self.poll()) is None:
            if self.closed:
                raise EOFError("the other side of the channel is gone")
            select.select([self.sock], [], [])
        return message

    def poll(self) -> Message | None:
        """The next complete message, or None if there is none yet. Raises Rejected on anything else."""
        if (message := self._parse()) is None and not self.closed:
            self._read()
            message = self._parse()
        return message

    def close(self) -> None:
        """Hang up and close descriptors that nobody asked for."""
        self.sock.close()
        while self._fds:
            os.close(self._fds.popleft())

    def _read(self) -> None:
        space = socket.CMSG_SPACE(struct.calcsize("i"))
        flags = socket.MSG_DONTWAIT | getattr(socket, "MSG_CMSG_CLOEXEC", 0)
        try:
            data, ancillary, received, _ = self.sock.recvmsg(MAX_MESSAGE, space, flags)
        except BlockingIOError:
            return
        except ConnectionError:
            data, ancillary, received = b"", [], 0
        for _, kind, payload in ancillary:
            if kind == socket.SCM_RIGHTS:
                self._fds.extend(struct.unpack(f"{len(payload) // 4}i", payload[: len(payload) // 4 * 4]))
        if received & socket.MSG_CTRUNC or len(self._fds) > 4:
            raise Rejected("the box sent more file descriptors than a message may carry")
        self.closed = not data
        self._buffer += data

    def _parse(self) -> Message | None:
        if len(self._buffer) < _HEADER.size:
            return None
        (size,) = _HEADER.unpack_from(self._buffer)
        if size > MAX_MESSAGE:
            raise Rejected(f"the box sent a message of {size} bytes, at most {MAX_MESSAGE} are allowed")
        end = _HEADER.size + size
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_HEADER.size : end])
        del self._buffer[:end]
        return self._decode(body)

    def _decode(self, body: bytes) -> Message:
        try:
            kind, fields = json.loads(body)
        except (ValueError, RecursionError, TypeError) as error:
            raise Rejected("the box sent something that is no message") from error
        if not isinstance(kind, str) or not isinstance(fields, dict):
            raise Rejected("the box sent something that is no message")
        if kind not in _WITH_DESCRIPTOR:
            return Message(kind, fields)
        if not self._fds:
            raise Rejected(f"the box sent {kind!r} without its memory")
        return Message(kind, fields, self._fds.popleft())


def _shown(text: str) -> str:
    """Text from a box, short and without control characters."""
    return repr("".join(c for c in text[:40] if c.isprintable()))
