"""What a `train.py` is given: the device, the sizes, and the training tokens once it asks for them.

Everything here runs inside a box, next to edited code, so nothing here is trusted: tokens come from the
referee when it sees `start`, progress is a page that only the referee can write, and what is logged is
shown and never believed.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import torch

from lab.memory import ProgressReader, mapped
from lab.protocol import Channel

LOG_SECONDS = 0.1  # at most one log message per this time; the last one is always sent


class Bench:
    """The second argument of `train`, the only one of `build`.

    device      "cpu", "cuda" or "mps"
    vocab_size  V, tokens
    seq_len     T, tokens per row while scoring
    seed        the experiment's seed, already set
    budget      seconds
    """

    def __init__(self, channel: Channel, page: ProgressReader, spec: dict[str, Any]) -> None:
        self.device: str = spec["device"]
        self.vocab_size: int = spec["vocab_size"]
        self.seq_len: int = spec["seq_len"]
        self.seed: int = spec["seed"]
        self.budget: float = spec["budget"]
        self._channel = channel
        self._read: Callable[[], float] = _Counter(spec["steps"]).read if spec["steps"] else page.read
        self._tokens: torch.Tensor | None = None
        self._logged: tuple[int, float | None] | None = None
        self._sent_at = -math.inf

    def sample(self, rows: int) -> torch.Tensor:
        """Random token ids, int64 [rows, seq_len] on the CPU: for compiling and warming up before `start`."""
        return torch.randint(self.vocab_size, (rows, self.seq_len))

    def start(self) -> torch.Tensor:
        """The training tokens, int16 [tokens] on the CPU, shuffled by seed. To be read, not written."""
        if self._tokens is None:
            self._channel.send("start")
            self._tokens = torch.frombuffer(mapped(self._channel.receive().fd), dtype=torch.int16)
        return self._tokens

    def progress(self) -> float:
        """The share of the budget that is used, 0 to 1 and beyond. Return from `train` once it is 1."""
        return self._read()

    def log(self, step: int, loss: float | torch.Tensor) -> None:
        """Show step and loss to whoever watches. Cheap to call: most calls send nothing."""
        now = time.monotonic()
        if now - self._sent_at >= LOG_SECONDS:
            self._sent_at, self._logged = now, None
            self._send(step, loss)
        else:
            self._logged = step, loss.detach() if isinstance(loss, torch.Tensor) else loss

    def flush(self) -> None:
        """Send the last `log` if it was held back."""
        if self._logged is not None:
            self._send(*self._logged)
            self._logged = None

    def _send(self, step: int, loss: Any) -> None:
        value = float(loss.detach() if isinstance(loss, torch.Tensor) else loss)
        self._channel.send("log", step=int(step), loss=value if math.isfinite(value) else None)


class _Counter:
    """Progress of a smoke run: every call is one of a few steps."""

    def __init__(self, steps: int) -> None:
        self._steps, self._calls = steps, 0

    def read(self) -> float:
        self._calls += 1
        return (self._calls - 1) / self._steps
