"""The score box, seen from the referee: weights and rows out, full logits back, losses computed here.

Why a second box: what trained could have changed anything in its own process, so the model is rebuilt
in a fresh one from the same source and the bare weights. Every row is asked once, in random order, and
the answer is copied before it is looked at. The result is a loss per row and position, so that another
box's answers can be compared with it place by place.
"""

import os
import random
import select
import time
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from lab.errors import Ended, Rejected
from lab.measurement import printable
from lab.memory import read_into, sealed, size_of
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
}


class ScorePhase:
    """One score box and the rows it is asked."""

    def __init__(
        self, box: Box, rows: np.ndarray, vocab_size: int, batch: int, device: str, limit: float, report: Report
    ) -> None:
        """`rows` is int16 [rows, T + 1], of which the box sees the first T of each; `limit` in seconds."""
        self.box, self.rows, self.vocab_size = box, rows, vocab_size
        self.batch, self.device, self.limit, self.report = batch, device, limit, report

    def run(self, weights: Weights) -> "torch.Tensor":
        """Losses in nats, float32 [rows, T], in the order of `rows`.

        Raises Ended: crash, timeout, oom or rejected.
        """
        import torch

        self._began = time.monotonic()
        self._wait_for("ready")
        self.box.channel.send("weights", weights.fd, **weights.fields)
        losses = torch.empty(len(self.rows), self.rows.shape[1] - 1)
        order = random.SystemRandom().sample(range(len(self.rows)), len(self.rows))
        waiting = deque(np.array(order[i : i + self.batch]) for i in range(0, len(order), self.batch))
        asked: deque[np.ndarray] = deque()
        done, next_report = 0, 0.0
        while waiting or asked:
            while waiting and len(asked) < IN_FLIGHT:
                asked.append(waiting.popleft())
                self._ask(asked[-1])
            where = asked.popleft()
            losses[torch.from_numpy(where)] = self._answer(where)
            done += len(where)
            if time.monotonic() >= next_report:
                next_report = time.monotonic() + 1.0
                self.report(self._line(done / len(self.rows)))
        return losses

    def _line(self, progress: float) -> dict[str, object]:
        seconds = round(time.monotonic() - self._began, 2)
        return {"phase": "score", "seconds": seconds, "step": None, "loss": None, "progress": round(progress, 4)}

    def _ask(self, where: np.ndarray) -> None:
        fd = sealed("rows", [self.rows[where, :-1].tobytes()])
        try:
            self.box.channel.send("rows", fd, count=len(where))
        except OSError:
            self._fail("the score box ended before it was asked everything")
        finally:
            os.close(fd)

    def _answer(self, where: np.ndarray) -> "torch.Tensor":
        """Losses [len(where), T] from the next logits."""
        import torch

        from lab.bpb import token_losses

        message = self._wait_for("logits")
        try:
            data = self._copied(message, len(where))
        finally:
            os.close(message.fd)
        logits = torch.frombuffer(data, dtype=getattr(torch, message.fields["dtype"])).view(-1, self.vocab_size)
        targets = torch.from_numpy(self.rows[where, 1:].astype(np.int64)).reshape(-1)
        losses = token_losses(logits.to(self.device), targets.to(self.device)).cpu()
        if losses.isnan().any():
            raise Rejected(f"logits are not finite at {int(losses.isnan().sum())} of {losses.numel()} positions")
        return losses.view(len(where), -1)

    def _copied(self, message: Message, count: int) -> bytearray:
        """The bytes of a batch of logits in memory of our own, once their shape and type are right."""
        expected = [count, self.rows.shape[1] - 1, self.vocab_size]
        shape, dtype = message.fields["shape"], message.fields["dtype"]
        if shape != expected:
            raise Rejected(f"logits have shape {shape}, expected {expected}")
        if dtype not in LOGIT_SIZES:
            raise Rejected(f"logits have type {printable(dtype)[:20]}, expected one of {', '.join(LOGIT_SIZES)}")
        size = expected[0] * expected[1] * expected[2] * LOGIT_SIZES[dtype]
        if size_of(message.fd, size) != size:
            raise Rejected("logits have fewer bytes than their shape says")
        return read_into(message.fd, size)

    def _wait_for(self, kind: str) -> Message:
        while (message := self.box.channel.poll()) is None:
            if self.box.channel.closed or self.box.exit_code() is not None:
                self._fail("the score box ended before it answered everything")
            if time.monotonic() - self._began > self.limit:
                raise Ended("timeout", f"scoring took more than {self.limit:g} s")
            select.select([self.box.channel], [], [], POLL_SECONDS)
        message = checked(message)
        if message.kind == "error":
            raise Ended(*REASONS.get(message.fields["kind"], ("crash", "the score box failed")))
        if message.kind != kind:
            raise Rejected(f"the score box sent {message.kind!r} where {kind!r} was expected")
        return message

    def _fail(self, reason: str) -> None:
        code = self.box.exit_code()
        raise Ended("oom" if code == -9 else "crash", reason)
