"""On a GPU logits cross in page-locked memory: what can be seen of that on devices that hold no numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from lab.box import plain
from lab.memory import sealed
from lab.protocol import Message
from lab.scoring import Conversation


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether page-locked memory was asked for, each time; what comes is plain, for locking it takes a driver."""
    found: list[bool] = []
    real = torch.empty

    def empty(*shape: Any, pin_memory: bool = False, **options: Any) -> torch.Tensor:
        found.append(pin_memory)
        return real(*shape, **options)

    monkeypatch.setattr(torch, "empty", empty)
    return found


def test_logits_on_a_gpu_leave_it_through_pinned_memory(asked: list[bool]) -> None:
    with FakeTensorMode():
        logits = torch.zeros(2, 3, 5, device="cuda", dtype=torch.bfloat16)
        asked.clear()  # torch itself asks for a little when it first hears of a GPU
        out = plain(logits)
    assert asked == [True]
    assert (out.device.type, out.shape, out.dtype) == ("cpu", logits.shape, logits.dtype)


def test_logits_elsewhere_need_none(asked: list[bool]) -> None:
    assert plain(torch.zeros(2, 3, 5)).device.type == "cpu"
    assert asked == []


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_the_referee_copies_them_into_pinned_memory_once_and_uses_it_again(asked: list[bool], device: str) -> None:
    rows = np.zeros((4, 3), dtype=np.int16)
    conversation = Conversation(None, rows, rows, 5, 2)  # type: ignore[arg-type]
    asked.clear()
    for batch in (torch.randn(2, 3, 5), torch.randn(2, 3, 5)):
        fd = sealed("logits", [memoryview(batch.reshape(-1).view(torch.uint8).numpy())])
        message = Message("logits", {"shape": [2, 3, 5], "dtype": "float32"}, fd)
        copy = conversation._copied(message, 2, device)
        assert torch.equal(copy.view(torch.float32).view(2, 3, 5), batch)
    assert asked == [device == "cuda"]
    assert copy.view(torch.float32).to("meta").shape == (30,)  # as far as a device without numbers goes
