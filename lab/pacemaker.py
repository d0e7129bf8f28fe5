"""A frozen little trainer whose step is the unit of time on a CPU.

Why not seconds: a neighbour that fills the memory bus makes every CPU-second of an experiment worth less. The
pacemaker suffers the same, so the budget is counted in its steps. It has to resemble what is trained: a plain
matrix product in its place credits too little. It is a process of its own, with the environment of a box, one
thread and no data; it never changes, because all measurements are counted in it.

    pacemaker = Pacemaker()     # starts the process, which imports torch and warms up
    pacemaker.steps(2)          # CPU-seconds of each of two steps
"""

import json
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.errors import LabError
from lab.process import die_with
from lab.sandbox import environment

if TYPE_CHECKING:
    import torch

WARM_UP = 12  # steps before the first that counts
ANSWER_SECONDS = 120.0  # wall seconds to wait for an answer, the start included
VOCABULARY, ROWS, LENGTH, WIDTH, HEADS, LAYERS = 2048, 16, 128, 128, 2, 2


class Pacemaker:
    """The referee's side: a child process that makes steps when told to."""

    def __init__(self) -> None:
        """Start it. Raises OSError."""
        folder = Path(tempfile.gettempdir())
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "lab.pacemaker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=environment(folder, "cpu"), cwd=folder, start_new_session=True, bufsize=0,
        )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._process.pid

    def steps(self, count: int) -> list[float]:
        """CPU-seconds of each of `count` steps. Raises LabError if the process does not answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{count}\n".encode())
        except OSError as error:
            raise LabError("the pacemaker ended; is there enough memory? nothing was measured, try again") from error
        found = json.loads(self._line())
        return [float(one) for one in found]

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        out, deadline, line = self._process.stdout, time.monotonic() + ANSWER_SECONDS, b""
        while not line.endswith(b"\n"):
            if not select.select([out], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise LabError(
                    f"the pacemaker did not answer within {ANSWER_SECONDS:g} s, the machine is too busy; "
                    "nothing was measured, try again when it is quieter"
                )
            data = out.read(4096)
            if not data:
                raise LabError("the pacemaker ended; is there enough memory? nothing was measured, try again")
            line += data
        return line


def _norm(x: "torch.Tensor") -> "torch.Tensor":
    import torch.nn.functional as F

    return F.rms_norm(x, (x.size(-1),))


class Trainer:
    """A small GPT on random tokens: forward, backward, Muon for the matrices, Adam for the tables."""

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(0)

        def table(rows: int, columns: int, spread: float) -> "torch.Tensor":
            return (torch.randn(rows, columns) * spread).requires_grad_()

        self.tables = [table(VOCABULARY, WIDTH, spread) for spread in (1.0, 0.1, 0.001)]  # in, values, out
        shapes = [(WIDTH, WIDTH)] * 4 + [(4 * WIDTH, WIDTH), (WIDTH, 4 * WIDTH)]
        self.layers = [[table(*shape, WIDTH**-0.5) for shape in shapes] for _ in range(LAYERS)]
        self.tokens = torch.randint(VOCABULARY, (64, ROWS, LENGTH + 1))
        self.mask = torch.full((LENGTH, LENGTH), -torch.inf, dtype=torch.bfloat16).triu(1)
        groups: dict[Any, list[torch.Tensor]] = {}
        for matrix in (m for layer in self.layers for m in layer):
            groups.setdefault(matrix.shape, []).append(matrix)
        self.groups = [(group, torch.zeros_like(torch.stack(group).detach())) for group in groups.values()]
        self.moments = [(torch.zeros_like(t), torch.zeros_like(t)) for t in self.tables]
        self.count = 0

    def step(self) -> None:
        """One step of training."""
        import torch

        batch = self.tokens[self.count % len(self.tokens)]
        self.count += 1
        self._loss(batch[:, :-1], batch[:, 1:]).backward()
        with torch.no_grad():
            for group, momentum in self.groups:
                self._muon(group, momentum)
            for table, (mean, square) in zip(self.tables, self.moments, strict=True):
                mean.lerp_(table.grad, 0.2)
                square.mul_(0.95).addcmul_(table.grad, table.grad, value=0.05)
                table.addcdiv_(mean, square.sqrt().add_(1e-8), value=-1e-3)
        for parameter in (*self.tables, *(m for layer in self.layers for m in layer)):
            parameter.grad = None

    def _loss(self, inputs: "torch.Tensor", targets: "torch.Tensor") -> "torch.Tensor":
        import torch
        import torch.nn.functional as F

        with torch.autocast("cpu", dtype=torch.bfloat16):
            x = _norm(F.embedding(inputs, self.tables[0]))
            for number, (q, k, v, out, up, down) in enumerate(self.layers):
                h = _norm(x)
                queries, keys, values = ((h @ m.mT).view(ROWS, LENGTH, HEADS, -1).transpose(1, 2) for m in (q, k, v))
                if number == LAYERS - 1:
                    values = values + F.embedding(inputs, self.tables[1]).view(ROWS, LENGTH, HEADS, -1).transpose(1, 2)
                queries, keys = _norm(queries), _norm(keys)
                weights = (queries @ keys.mT * 0.125 + self.mask).softmax(-1)
                mixed = weights.type_as(values) @ values
                x = x + mixed.transpose(1, 2).reshape(ROWS, LENGTH, WIDTH) @ out.mT
                x = x + F.relu(_norm(x) @ up.mT).square() @ down.mT
            logits = (_norm(x) @ self.tables[2].mT).float()
        return F.cross_entropy(logits.view(-1, VOCABULARY), targets.reshape(-1))

    def _muon(self, group: "list[torch.Tensor]", momentum: "torch.Tensor") -> None:
        import torch

        grads = torch.stack([p.grad for p in group if p.grad is not None])
        momentum.lerp_(grads, 0.15)
        x = grads.lerp(momentum, 0.85).bfloat16()
        is_tall = x.size(-2) > x.size(-1)
        x = x.mT if is_tall else x
        x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
        for _ in range(5):
            a = x @ x.mT
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        for p, update in zip(group, x.mT if is_tall else x, strict=True):
            p.add_(update, alpha=-1e-3)


def main() -> None:
    """Answer every number on standard input with the CPU-seconds of as many steps, until it is closed."""
    import os

    die_with(os.getppid())
    trainer = Trainer()
    for _ in range(WARM_UP):
        trainer.step()
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            before = time.process_time()
            trainer.step()
            times.append(time.process_time() - before)
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
