"""Textbook edits of the schedule, the batch and the order of the data.

To add one, write it below another of its kind; `council.members.textbook.catalogue` says how.
"""

from __future__ import annotations

import ast

from council.members.textbook.catalogue import edit, scaled, setting
from council.members.textbook.rewrite import Code, NoFit

warm_up = setting(
    "WARMUP", 0.05, "Warm the learning rates up over a twentieth of the budget", "schedule", 0.15,
    "The first gradients come from a random model and may point anywhere; rising rates make them count less. With "
    "normalised updates there is little to protect, and the steps are lost.",
)  # fmt: skip
long_warmdown = setting(
    "WARMDOWN", 0.9, "Let the learning rates fall over most of the run", "schedule", 0.25,
    "A long decline anneals the noise of small batches away and is what the last part of the gain comes from. The "
    "price is less progress at the full rate early on.",
)  # fmt: skip
short_warmdown = setting(
    "WARMDOWN", 0.3, "Keep the learning rates up for longer", "schedule", 0.3,
    "Progress per step is largest at the full rate, and a short budget is far from converged. A third of the run "
    "may be enough to anneal.",
)  # fmt: skip
fall_to_zero = setting(
    "FINAL_LR", 0.0, "Let the learning rates fall to zero", "schedule", 0.45,
    "Whatever noise the last steps add stays in the weights that are scored. Falling all the way to zero removes it "
    "at no cost.",
)  # fmt: skip


@edit("Shape the warmdown as a cosine", "schedule", 0.3,
      "A cosine keeps the rate high for longer and then falls faster than a line, spending fewer steps at middling "
      "rates. The area under both is the same, so the difference is small.")  # fmt: skip
def cosine_warmdown(code: Code) -> None:
    function = code.function("lr_scale")
    left = code.assignment("left", function)
    if code.calls("cos", function):
        raise NoFit
    code.after(left, "left = 0.5 - 0.5 * math.cos(math.pi * left)")


@edit("Average the weights over the end of the run", "schedule", 0.3,
      "The last iterates jump around their mean, and the mean has a lower loss than any of them. A decaying average "
      "over the tail gives it for the price of one pass over the weights per step.")  # fmt: skip
def average_weights(code: Code) -> None:
    train = code.function("train")
    loop = code.one(ast.While, lambda node: bool(code.calls("progress", node.test)), train)
    cleared = [code.statement(call) for call in code.calls("zero_grad", loop)]
    if len(cleared) != 1 or code.uses("Average"):
        raise NoFit
    code.before(train, AVERAGE)
    code.before(loop, "average = Average(model)")
    code.after(cleared[0], "if progress > 1 - AVERAGE_TAIL:\n    average.update()")
    code.after(loop, "average.write_back()")
    code.new_constant("AVERAGE_TAIL", "0.1", "share at the end over which the weights are averaged", "FINAL_LR")
    code.new_constant("AVERAGE_DECAY", "0.9", "decay of that average, per step", "FINAL_LR")


AVERAGE = '''
class Average:
    """A decaying average of the weights over the end of a run."""

    def __init__(self, model: nn.Module) -> None:
        self.params = list(model.parameters())
        self.mean: list[Tensor] = []

    @torch.no_grad()
    def update(self) -> None:
        if not self.mean:
            self.mean = [p.detach().clone() for p in self.params]
        for mean, p in zip(self.mean, self.params, strict=True):
            mean.lerp_(p, 1 - AVERAGE_DECAY)

    @torch.no_grad()
    def write_back(self) -> None:
        for p, mean in zip(self.params, self.mean, strict=bool(self.mean)):
            p.copy_(mean)
'''


def _batch(code: Code, factor: float) -> None:
    """Scale the batch, and its parts where they would no longer fit in it."""
    rows, part = round(code.constant("BATCH_ROWS") * factor), code.constant("MICRO_ROWS")
    if rows < 1 or rows != code.constant("BATCH_ROWS") * factor:
        raise NoFit
    code.set_constant("BATCH_ROWS", rows)
    if rows % part:
        code.set_constant("MICRO_ROWS", rows)


@edit("Halve the batch", "batch", 0.45,
      "Half the rows per step give nearly twice the steps in the same budget. Far from convergence more steps are "
      "worth more than quieter gradients.")  # fmt: skip
def halve_batch(code: Code) -> None:
    _batch(code, 0.5)


@edit("Double the batch", "batch", 0.2,
      "Larger batches use the machine better and give quieter gradients, which orthogonalised updates can use. The "
      "number of steps halves, which at a short budget usually costs more.")  # fmt: skip
def double_batch(code: Code) -> None:
    _batch(code, 2.0)


@edit("Fill each batch with neighbouring text", "data order", 0.15,
      "Rows that follow one another share their files, so a batch learns one thing well, and reading memory in order "
      "is cheap. The gradient of such a batch says less about the text as a whole.")  # fmt: skip
def neighbouring_rows(code: Code) -> None:
    function = code.function("batches")
    loop = code.one(ast.While, lambda node: True, function)
    at = function.body.index(loop) if loop in function.body else 0
    moved = [
        index for index, node in enumerate(function.body) if isinstance(node, ast.Assign) and code.calls("to", node)
    ]
    if [argument.arg for argument in function.args.args] != ["tokens", "rows", "seq_len", "device"] or not moved:
        raise NoFit
    if not code.calls("arange", function) or loop is not function.body[-1] or not moved[0] < at:
        raise NoFit
    code.drop(*function.body[moved[0] + 1 :])
    code.after(
        function.body[moved[0]],
        """
        size, offset = rows * seq_len, 0
        while True:
            if offset + size + 1 > len(tokens):
                offset = 0
            window = tokens[offset : offset + size + 1].long()
            offset += size
            yield window[:-1].view(rows, seq_len), window[1:].view(rows, seq_len)
        """,
    )
    code.describe(function, "Endless pairs (inputs, targets), each [rows, seq_len] int64, row after row of the text.")


larger_final = scaled(
    "FINAL_LR", 4.0, "End at a higher learning rate", "schedule", 0.15,
    "A rate that never gets small keeps learning until the last step. Against it speaks the noise that the last "
    "steps leave in the weights.", high=0.5,
)  # fmt: skip
