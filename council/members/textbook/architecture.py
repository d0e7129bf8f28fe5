"""Textbook edits of the blocks, the residual stream, the output and its loss, and how weights begin.

To add one, write it below another of its kind; `council.members.textbook.catalogue` says how.
"""

from __future__ import annotations

import ast

from council.members.textbook.catalogue import edit, scaled, setting
from council.members.textbook.rewrite import Code, NoFit, is_name, last_name


@edit("Take out one block", "architecture", 0.4,
      "A shallower model takes more steps in the same budget. When training ends far from convergence, the steps can "
      "be worth more than the depth.")  # fmt: skip
def fewer_blocks(code: Code) -> None:
    if code.constant("DEPTH") < 2:
        raise NoFit
    code.set_constant("DEPTH", code.constant("DEPTH") - 1)


@edit("Add one block", "architecture", 0.08,
      "Depth lets the model compose what it has read, and deeper models win when there is time. Here each step gets "
      "dearer by the share of the new block.")  # fmt: skip
def more_blocks(code: Code) -> None:
    code.set_constant("DEPTH", code.constant("DEPTH") + 1)


@edit("Widen the model by half", "architecture", 0.05,
      "A wider stream holds more about each token. Matrices grow with the square of the width, so far fewer steps fit "
      "into the budget.")  # fmt: skip
def wider(code: Code) -> None:
    dim = code.constant("DIM") * 3 // 2
    if dim % code.constant("HEAD_DIM"):
        raise NoFit
    code.set_constant("DIM", dim)


narrow_mlp = scaled(
    "MLP_RATIO", 0.5, "Halve the hidden width of the MLP", "architecture", 0.35,
    "The MLP holds most of the matrices' multiplications. Halving it buys steps; what it could have stored in so "
    "short a run may be little.", low=1,
)  # fmt: skip


def _activation(code: Code) -> tuple[ast.Call, ast.expr]:
    """The call of `square` on a call of `relu`, and what the relu is given."""
    found = []
    for call in code.calls("square"):
        inner = call.func.value if isinstance(call.func, ast.Attribute) else None
        if isinstance(inner, ast.Call) and last_name(inner.func) == "relu" and len(inner.args) == 1:
            found.append((call, inner.args[0]))
    if len(found) != 1:
        raise NoFit
    return found[0]


@edit("Use GELU instead of the squared ReLU", "architecture", 0.12,
      "GELU is smooth and does not blow large activations up. Squared ReLU is sparser and was ahead in most small "
      "language models that compared the two.")  # fmt: skip
def gelu(code: Code) -> None:
    call, given = _activation(code)
    code.replace(call, f"F.gelu({code.text(given)})")
    code.describe(code.klass("MLP"), "Two matrices with a GELU between them.")


@edit("Gate the MLP with SwiGLU", "architecture", 0.12,
      "A gate decides per channel what passes, which large models use throughout. The third matrix costs time, and "
      "public logs of short runs found no gain over the squared ReLU.")  # fmt: skip
def swiglu(code: Code) -> None:
    forward = code.method("MLP", "forward")
    down, up = code.call("down", forward), code.call("up", forward)
    if code.find(ast.Attribute, lambda node: node.attr == "gate", code.klass("MLP")):
        raise NoFit
    made = code.assignment("self.up", code.method("MLP", "__init__"))
    started = code.statement(code.written("block.mlp.up", code.method("GPT", "initialise")))
    code.after(made, code.text(made).replace("self.up", "self.gate"))
    code.replace(down.args[0], f"F.silu(self.gate({code.text(up.args[0])})) * {code.text(up)}")
    code.after(started, "block.mlp.gate.weight.uniform_(-spread, spread)")
    code.describe(code.klass("MLP"), "Two matrices, with a gate of its own on the channels between them.")


@edit("Run attention and MLP of a block in parallel", "architecture", 0.25,
      "Both read the same normalised stream and add to it at once, which saves a normalisation and shortens the path "
      "of the gradient. The MLP no longer sees what attention just found.")  # fmt: skip
def parallel_blocks(code: Code) -> None:
    forward = code.method("Block", "forward")
    attention, mlp = code.call("attention", forward), code.call("mlp", forward)
    first, last = code.statement(attention), code.statement(mlp)
    if first is last or not isinstance(last, ast.Return) or not attention.args or not mlp.args:
        raise NoFit
    if {ast.unparse(attention.args[0]), ast.unparse(mlp.args[0])} != {"norm(x)"}:
        raise NoFit
    rest = "".join(f", {code.text(argument)}" for argument in attention.args[1:])
    code.replace(first, "y = norm(x)")
    code.replace(last, f"return x + self.attention(y{rest}) + self.mlp(y)")
    code.describe(code.klass("Block"), "Attention and the MLP side by side, on one normalised copy.")


@edit("Leave the residual stream unscaled", "simplification", 0.35,
      "The learnt scales of the stream and of the embedding fed back into it are a few numbers that a short run can "
      "hardly tune. Without them the code is shorter and each step a little cheaper.")  # fmt: skip
def plain_residual(code: Code) -> None:
    names = ("residual_scale", "input_scale")
    scaling = code.statement(code.written("self.residual_scale[i]", code.method("GPT", "forward")))
    start = code.one(
        ast.Assign, lambda node: any(is_name(t, "x0") for t in node.targets), code.method("GPT", "forward")
    )
    if len(start.targets) != 2:
        raise NoFit
    code.drop(scaling, *[code.assignment(f"self.{name}", code.method("GPT", "__init__")) for name in names])
    code.replace(start, f"x = {code.text(start.value)}")
    code.commit()
    for name in names:
        lists = code.find(ast.List, lambda node: True, code.function("make_optimizers"))
        holder = next((found for found in lists if name in map(last_name, found.elts)), None)
        if holder is None:
            raise NoFit
        code.remove_item(holder.elts, [last_name(e) for e in holder.elts].index(name))
        code.commit()


@edit("Squash the logits smoothly at ±15", "regularisation", 0.12,
      "A soft cap keeps the model from becoming too sure too early and bounds the gradient of the head. In short runs "
      "on small vocabularies it took more than it gave.")  # fmt: skip
def cap_logits(code: Code) -> None:
    if code.constant("SOFTCAP"):
        raise NoFit
    code.set_constant("SOFTCAP", 15.0)


uncap_logits = setting(
    "SOFTCAP", 0.0, "Let the logits grow without a cap", "simplification", 0.4,
    "The cap flattens the distribution where the model is sure, and every token pays for the tanh. Without it the "
    "loss may use the logits it likes.",
)  # fmt: skip


def _loss(code: Code) -> ast.Call:
    return code.call("cross_entropy", code.function("loss_of"))


@edit("Smooth the labels by a twentieth", "regularisation", 0.03,
      "Smoothing keeps the model from putting all weight on one token and helps where accuracy counts. The score here "
      "is the likelihood itself, which smoothing deliberately worsens.")  # fmt: skip
def smooth_labels(code: Code) -> None:
    loss = _loss(code)
    if any(keyword.arg == "label_smoothing" for keyword in loss.keywords):
        raise NoFit
    code.argument(loss, "label_smoothing=LABEL_SMOOTHING")
    code.new_constant("LABEL_SMOOTHING", "0.05", "probability spread over all tokens in the training loss", "SOFTCAP")


@edit("Penalise large normalisers of the softmax", "regularisation", 0.12,
      "The z-loss keeps the logarithm of the softmax's sum near zero, which steadies bfloat16 training at scale. A "
      "short run of a small model seldom drifts far enough to need it.")  # fmt: skip
def z_loss(code: Code) -> None:
    loss = _loss(code)
    returned = code.statement(loss)
    if not isinstance(returned, ast.Return) or returned.value is not loss:
        raise NoFit
    code.before(returned, f"loss = {code.text(loss)}")
    code.replace(returned, "return loss + Z_LOSS * logits.logsumexp(-1).square().mean()")
    code.describe(
        code.function("loss_of"), "Mean cross-entropy in nats per token, with a penalty on large normalisers."
    )
    code.new_constant("Z_LOSS", "1e-4", "weight of the squared logarithm of the softmax's sum", "SOFTCAP")


smaller_matrices = scaled(
    "INIT_MATRIX", 0.5, "Start the matrices at half their size", "initialisation", 0.3,
    "Muon moves every matrix by a fixed amount per step, so small matrices are turned sooner. Too small, and the "
    "first activations carry little.", low=0.01,
)  # fmt: skip
zero_head = setting(
    "INIT_HEAD", 0.0, "Start the output head at zero", "initialisation", 0.4,
    "A head of zeros begins at exactly the uniform distribution, so no step is spent on unlearning noise. It is one "
    "number less to tune.",
)  # fmt: skip


@edit("Start the output matrices of the blocks at random", "initialisation", 0.25,
      "With zeros each block begins as the identity, and its inner matrices get no gradient in the first step. Random "
      "outputs let everything learn at once, from a noisier start.")  # fmt: skip
def random_outputs(code: Code) -> None:
    function = code.method("GPT", "initialise")
    zeroed = [call for call in code.calls("zero_", function) if ast.unparse(call) == "layer.weight.zero_()"]
    if len(zeroed) != 1 or not code.calls("uniform_", function):
        raise NoFit
    code.replace(zeroed[0], "layer.weight.uniform_(-spread, spread)")
    code.describe(function, "Uniform matrices, a head near zero.")
