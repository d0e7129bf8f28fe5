"""What may go over the socket, and what ends a box."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterator

import pytest
import torch

from lab.errors import Rejected
from lab.memory import ProgressPage, ProgressReader, anonymous, mapped, read, sealed, size_of
from lab.protocol import MAX_MESSAGE, Channel, Message, checked
from lab.training import copied


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    ours, theirs = socket.socketpair()
    channels = Channel(ours), Channel(theirs)
    yield channels
    for channel in channels:
        channel.close()


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def test_messages_arrive_in_order_with_their_memory(ends: tuple[Channel, Channel]) -> None:
    referee, box = ends
    box.send("log", step=1, loss=2.5)
    box.send("logits", sealed("x", [b"abc"]), shape=[1], dtype="float32")
    first, second = referee.receive(), referee.receive()
    assert (first.kind, first.fields, first.fd) == ("log", {"step": 1, "loss": 2.5}, -1)
    assert bytes(mapped(second.fd)) == b"abc"
    assert referee.poll() is None


def test_half_a_message_is_waited_for(ends: tuple[Channel, Channel]) -> None:
    referee, box = ends
    data = framed(b'["ready", {}]')
    box.sock.sendall(data[:7])
    assert referee.poll() is None
    box.sock.sendall(data[7:])
    assert referee.poll() == Message("ready")


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"{}", b"[1, {}]", b'["ready"]', b'["ready", []]', b"[" * 5000, b'["ready", {}, 1]'],
)
def test_what_is_no_message_is_rejected(ends: tuple[Channel, Channel], body: bytes) -> None:
    referee, box = ends
    box.sock.sendall(framed(body))
    with pytest.raises(Rejected, match="no message"):
        referee.receive()


def test_an_oversized_message_is_rejected_before_it_is_read(ends: tuple[Channel, Channel]) -> None:
    referee, box = ends
    box.sock.sendall(struct.pack(">I", MAX_MESSAGE + 1))
    with pytest.raises(Rejected, match=f"{MAX_MESSAGE + 1} bytes"):
        referee.receive()


def test_a_descriptor_that_is_missing_is_rejected(ends: tuple[Channel, Channel]) -> None:
    referee, box = ends
    box.send("logits", shape=[1], dtype="float32")
    with pytest.raises(Rejected, match="without its memory"):
        referee.receive()


def test_descriptors_that_nobody_asked_for_are_rejected(ends: tuple[Channel, Channel]) -> None:
    referee, box = ends
    fds = [sealed("x", [b"a"]) for _ in range(8)]
    socket.send_fds(box.sock, [framed(b'["ready", {}]')], fds)
    with pytest.raises(Rejected, match="more file descriptors"):
        referee.receive()


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("tokens", {}),
        ("shutdown", {}),
        ("ready", {"extra": 1}),
        ("log", {"step": 1}),
        ("log", {"step": "1", "loss": 0.0}),
        ("log", {"step": True, "loss": 0.0}),
        ("log", {"step": 1 << 60, "loss": 0.0}),
        ("log", {"step": 1, "loss": "low"}),
        ("logits", {"shape": [-1, 2], "dtype": "float32"}),
        ("logits", {"shape": [1] * 9, "dtype": "float32"}),
        ("weights", {"names": [1], "shapes": [[1]], "dtypes": ["float32"]}),
        ("error", {"kind": "crash", "type": "x" * 5000, "message": "", "line": 1}),
    ],
)
def test_a_box_can_say_only_what_the_protocol_has(kind: str, fields: dict[str, object]) -> None:
    with pytest.raises(Rejected, match="the box sent"):
        checked(Message(kind, fields))


def test_what_a_box_says_is_shown_without_control_characters() -> None:
    with pytest.raises(Rejected) as caught:
        checked(Message("\x1b[2Jevil\n" * 50, {}))
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_the_other_side_hanging_up_ends_the_waiting(ends: tuple[Channel, Channel]) -> None:
    referee, box = ends
    box.close()
    with pytest.raises(EOFError):
        referee.receive()


def weights(data: bytes, shapes: list[list[int]], dtypes: list[str] | None = None, **more: object) -> Message:
    names = [f"w{number}" for number in range(len(shapes))]
    fields = {"names": names, "shapes": shapes, "dtypes": dtypes or ["float32"] * len(shapes)}
    return Message("weights", fields | more, sealed("weights", [data]))


def test_weights_are_taken_when_everything_agrees() -> None:
    data = torch.arange(7, dtype=torch.float32).numpy().tobytes()
    taken = copied(weights(data, [[2, 3], []]), 1000)
    assert taken.numbers == 7
    assert bytes(mapped(taken.fd)) == data


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (weights(b"x" * 24, [[2, 4]]), "have 24 bytes, their shapes say 32"),
        (weights(b"x" * 40, [[2, 4]]), "have 40 bytes, their shapes say 32"),
        (weights(b"", [[1 << 40, 1 << 40]]), "at most 1000 are allowed"),
        (weights(b"x" * 2000, [[500]]), "at most 1000 are allowed"),
        (weights(b"x" * 4, [[1]], ["object"]), "of other types than float64"),
        (weights(b"x" * 4, [[1]], names=["a", "b"]), "2 names, 1 shapes"),
        (weights(b"x" * 8, [[1], [1]], names=["a", "a"]), "2 names, 2 shapes"),
    ],
)
def test_weights_that_lie_are_rejected(message: Message, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        copied(message, 1000)


def test_memory_that_can_still_change_is_rejected() -> None:
    fd = anonymous("open")
    os.write(fd, b"x" * 4)
    with pytest.raises(Rejected, match="could still change"):
        size_of(fd, 100)


def test_something_that_is_no_memory_is_rejected() -> None:
    reader, _ = os.pipe()
    with pytest.raises(Rejected, match="not memory"):
        size_of(reader, 100)


def test_progress_can_be_read_but_not_written() -> None:
    page = ProgressPage()
    reader = ProgressReader(page.fd)
    page.write(0.25)
    assert reader.read() == 0.25
    with pytest.raises(OSError, match="not permitted"):
        os.pwrite(page.fd, b"x", 0)
    with pytest.raises(TypeError):
        reader._map[0] = 1
    import mmap

    with pytest.raises(PermissionError):
        mmap.mmap(page.fd, mmap.PAGESIZE)
    page.close()


def test_a_message_is_json(ends: tuple[Channel, Channel]) -> None:
    referee, box = ends
    box.send("log", step=1, loss=None)
    size = struct.unpack(">I", referee.sock.recv(4))[0]
    assert json.loads(referee.sock.recv(size)) == ["log", {"step": 1, "loss": None}]


def test_memory_that_cannot_be_read_is_rejected() -> None:
    fd = sealed("weights", [bytes(8)])
    blind = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY)
    try:
        assert size_of(blind, 8) == 8
        with pytest.raises(Rejected, match="cannot be read"):
            read(blind, 8)
    finally:
        os.close(blind)
        os.close(fd)
