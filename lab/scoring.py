"""The score boxes, seen from the referee: weights and rows out, full logits back, losses computed here.

Why fresh boxes: what trained could have changed anything in its own process, so the model is rebuilt from
the same source and the bare weights. Every box is asked every row once, in a random order of its own, and
its answer is copied before it is looked at. The boxes work at the same time, so that none can tell from
the clock which it is. The result is a loss per box, row and position.

What a score box says reaches nobody: it has seen the hidden text, so its end is told in words of ours.
"""

import os
import random
import select
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lab.clock import CpuClock
from lab.errors import Ended, Rejected
from lab.first_answer import Work
from lab.memory import read, read_into, sealed, size_of
from lab.protocol import Message, checked
from lab.sandbox import Box
from lab.settings import POLL_SECONDS
from lab.training import Report, Weights

if TYPE_CHECKING:
    import torch

LOGIT_SIZES = {"float32": 4, "bfloat16": 2, "float16": 2}
IN_FLIGHT = 2  # batches asked for before the first is answered, so that box and referee both work
REASONS = {  # the only things that are ever said about what happened in a score box
    "build": ("crash", "the model could be built for training, but not again for scoring"),
    "load": ("rejected", "the weights do not fit the model that build returns: train may not add, drop or reshape any"),
    "forward": ("crash", "the model failed on a batch of rows of the lab's size"),
    "output": ("rejected", "the model did not return a tensor"),
    "missing": ("crash", "build could not be found for scoring"),
    "oom": ("oom", "the model ran out of memory while it was scored"),
    "shape": ("rejected", "logits have another shape than [rows, T, V]"),
    "dtype": ("rejected", f"logits have another type than {', '.join(LOGIT_SIZES)}"),
    "finite": ("rejected", "logits are not finite everywhere"),
    "range": ("rejected", "logits are so far apart that a loss is not finite"),
    "bytes": ("rejected", "logits have fewer or more bytes than their shape says"),
    "ended": ("crash", "the score box ended before it answered everything"),
    "protocol": ("rejected", "the score box broke the protocol"),
    "other": ("crash", "the score box failed"),
}


def ended(kind: str) -> Ended:
    """The end of a measurement for one of REASONS."""
    status, reason = REASONS.get(kind, REASONS["other"])
    return Rejected(reason) if status == "rejected" else Ended(status, reason)


class Conversation:
    """One box and the rows it is asked."""

    def __init__(
        self, box: Box, inputs: np.ndarray, targets: np.ndarray, vocab_size: int, batch: int,
        clock: CpuClock | None = None,
    ) -> None:  # fmt: skip
        """`inputs` and `targets` are int16 [rows, T]; the box sees the inputs alone. `clock` counts what it uses."""
        import torch

        self.box, self.inputs, self.targets, self.vocab_size = box, inputs, targets, vocab_size
        order = random.SystemRandom().sample(range(len(inputs)), len(inputs))
        self._waiting = deque(np.array(order[i : i + batch]) for i in range(0, len(order), batch))
        self._asked: deque[np.ndarray] = deque()
        self._is_ready = False
        self._copy = torch.empty(0, dtype=torch.uint8)  # of one batch of logits
        self.losses = torch.empty(targets.shape, dtype=torch.float32)  # nats, in the order of `inputs`
        self.answered = 0  # rows
        self._clock, self._batches, self._first = clock, len(self._waiting), 0.0  # CPU-seconds to the first answer
        self.work: Work | None = None  # once all is answered, if there is a clock

    @property
    def is_done(self) -> bool:
        return not self._waiting and not self._asked

    def advance(self, weights: Weights, device: str) -> None:
        """Deal with one message, if there is one. Raises Ended."""
        try:
            message = self.box.channel.poll()
            if message is None:
                if self.box.channel.closed or self.box.exit_code() is not None:
                    self._fail()
                return
            message = checked(message)
        except Rejected as error:
            raise ended("protocol") from error
        if message.kind == "error":
            raise ended(message.fields["kind"])
        if message.kind == "ready" and not self._is_ready:
            self._is_ready = True
            self._send_weights(weights)
        elif message.kind == "logits" and self._asked:
            self._note(message, device)
        else:
            raise ended("protocol")
        while self._waiting and len(self._asked) < IN_FLIGHT:
            self._ask(self._waiting.popleft())

    def _send_weights(self, weights: Weights) -> None:
        """Every box gets memory of its own: even the position in a shared file would carry a word to the other."""
        fd = sealed("weights", [read(weights.fd, os.fstat(weights.fd).st_size)])
        if self._clock is not None:
            self._clock.ready()  # nothing of the edited code has run so far
        try:
            self.box.channel.send("weights", fd, **weights.fields)
        except OSError:
            self._fail()
        finally:
            os.close(fd)

    def _ask(self, where: np.ndarray) -> None:
        self._asked.append(where)
        fd = sealed("rows", [self.inputs[where].tobytes()])
        try:
            self.box.channel.send("rows", fd, count=len(where))
        except OSError:
            self._fail()
        finally:
            os.close(fd)

    def _note(self, message: Message, device: str) -> None:
        """Take the losses [rows, T] of the oldest question from these logits."""
        import torch

        from lab.bpb import token_losses

        self._keep_time()
        where = self._asked.popleft()
        try:
            data = self._copied(message, len(where), device)
        finally:
            os.close(message.fd)
        logits = data.view(getattr(torch, message.fields["dtype"])).view(-1, self.vocab_size)
        targets = torch.from_numpy(self.targets[where].astype(np.int64)).reshape(-1)
        losses = token_losses(logits.to(device), targets.to(device)).cpu()
        if not losses.isfinite().all():
            raise ended("finite" if losses.isnan().any() else "range")
        self.losses[torch.from_numpy(where)] = losses.view(len(where), -1)
        self.answered += len(where)

    def _keep_time(self) -> None:
        """Look at the clock when the first and the last answer have come: a look costs milliseconds."""
        if self._clock is None:
            return
        if not self.answered:
            self._first = self._clock.charge()
        if not self._waiting and len(self._asked) == 1:
            later = (self._clock.charge() - self._first) / max(1, self._batches - 1)
            self.work = Work(self._first, later)

    def _copied(self, message: Message, count: int, device: str) -> "torch.Tensor":
        """The bytes of a batch of logits in memory of our own, once their shape and type are right.

        On CUDA that memory is pinned, so that the GPU fetches them at full speed.
        """
        import torch

        expected = [count, self.targets.shape[1], self.vocab_size]
        if message.fields["shape"] != expected:
            raise ended("shape")
        if message.fields["dtype"] not in LOGIT_SIZES:
            raise ended("dtype")
        size = expected[0] * expected[1] * expected[2] * LOGIT_SIZES[message.fields["dtype"]]
        try:
            if size_of(message.fd, size) != size:
                raise ended("bytes")
            if len(self._copy) != size:
                self._copy = torch.empty(size, dtype=torch.uint8, pin_memory=device == "cuda")
            read_into(message.fd, self._copy.numpy())
            return self._copy
        except Rejected as error:
            raise ended("bytes") from error

    def _fail(self) -> None:
        raise ended("oom" if self.box.exit_code() == -9 else "ended")


class ScorePhase:
    """Everything between the weights and the losses: all boxes, asked side by side."""

    def __init__(self, conversations: Sequence[Conversation], device: str, limit: float, report: Report) -> None:
        """Losses are computed on `device`; `limit` is in seconds."""
        self.conversations, self.device, self.limit, self.report = conversations, device, limit, report

    def run(self, weights: Weights) -> "list[torch.Tensor]":
        """Losses in nats, float32 [rows, T], of every conversation.

        Raises Ended: crash, timeout, oom or rejected.
        """
        self._began, next_report = time.monotonic(), 0.0
        while unfinished := [one for one in self.conversations if not one.is_done]:
            select.select([one.box.channel for one in unfinished], [], [], POLL_SECONDS)
            for one in unfinished:
                one.advance(weights, self.device)
            if time.monotonic() - self._began > self.limit:
                raise Ended("timeout", f"scoring took more than {self.limit:g} s")
            if time.monotonic() >= next_report:
                next_report = time.monotonic() + 1.0
                self.report(self._line())
        return [one.losses for one in self.conversations]

    def _line(self) -> dict[str, object]:
        seconds = round(time.monotonic() - self._began, 2)
        rows = sum(len(one.inputs) for one in self.conversations)
        done = sum(one.answered for one in self.conversations) / rows
        return {"phase": "score", "seconds": seconds, "step": None, "loss": None, "progress": round(done, 4)}
