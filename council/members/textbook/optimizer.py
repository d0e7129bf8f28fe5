"""Textbook edits of the optimizers: learning rates, momentum, what an update is made of.

To add one, write it below another of its kind; `council.members.textbook.catalogue` says how.
"""

from __future__ import annotations

import ast

from council.members.textbook.catalogue import edit, scaled
from council.members.textbook.rewrite import Code, NoFit, is_name, last_name

double_matrix_lr = scaled(
    "MATRIX_LR", 2.0, "Double the learning rate of Muon", "optimizer", 0.5,
    "A short budget ends long before the loss is flat, so each step should go further. Muon's update has a fixed size "
    "whatever the gradient, which keeps a larger rate stable.", high=0.4,
)  # fmt: skip
halve_matrix_lr = scaled(
    "MATRIX_LR", 0.5, "Halve the learning rate of Muon", "optimizer", 0.2,
    "If the matrices bounce around the valley instead of following it, smaller steps reach lower. At this budget that "
    "is the less likely side.", low=1e-4,
)  # fmt: skip
raise_embedding_lr = scaled(
    "EMBEDDING_LR", 2.5, "Raise the learning rate of the token embedding", "optimizer", 0.4,
    "Each row of the embedding sees only the steps in which its token occurs, so rare tokens stay close to their "
    "random start. A higher rate lets them move in the few steps they get.", high=5.0,
)  # fmt: skip
raise_head_lr = scaled(
    "HEAD_LR", 2.0, "Double the learning rate of the output head", "optimizer", 0.4,
    "The head starts near zero and has to learn the frequencies of all tokens first. A higher rate shortens that "
    "phase; the risk is a noisy head at the end.", high=0.1,
)  # fmt: skip
lower_momentum = scaled(
    "MUON_MOMENTUM", 0.95, "Lower Muon's momentum", "optimizer", 0.4,
    "Momentum averages over about 1 / (1 - m) steps. With a few hundred steps in all a shorter memory follows the "
    "gradient sooner and wastes fewer of them.", low=0.5,
)  # fmt: skip
longer_memory = scaled(
    "ADAM_BETA2", 1.03, "Give AdamW a longer memory for its variance", "optimizer", 0.3,
    "Rows of the embedding get gradients in few of the steps. A longer average of their squares makes the size of "
    "their updates less erratic.", high=0.999,
)  # fmt: skip
fewer_newton_steps = scaled(
    "MUON_STEPS", 0.6, "Use three Newton-Schulz steps instead of five", "systems", 0.4,
    "Orthogonalising costs a fixed time per step. Three iterations leave the small singular values a little short, "
    "which may matter less than the steps gained.", low=1,
)  # fmt: skip


def _step(code: Code) -> ast.FunctionDef:
    return code.method("Muon", "step")


@edit("Use AdamW for the matrices instead of Muon", "optimizer", 0.05,
      "AdamW is the usual optimizer for every parameter, needs no orthogonalisation and so takes more steps. "
      "Known results say that Muon's better-conditioned update is worth more than that.")  # fmt: skip
def adamw_for_matrices(code: Code) -> None:
    makers = code.calls("Muon", code.function("make_optimizers"))
    if len(makers) != 1 or not makers[0].args:
        raise NoFit
    params, unions = code.text(makers[0].args[0]), code.find(ast.BinOp, lambda node: is_name(node.left, "Muon"))
    for union in unions:
        code.replace(union, code.text(union.right))
    code.replace(makers[0], f"AdamW({params}, h.MATRIX_LR, h)")
    code.describe(code.function("make_optimizers"), "AdamW for everything, in groups with a learning rate each.")
    code.drop(code.klass("Muon"), code.function("orthogonalise"))
    code.describe(code.klass("AdamW"), "Adam for a group of parameters with one learning rate.")
    code.commit()
    code.set_constant("MATRIX_LR", float(f"{code.constant('MATRIX_LR') * 0.15:.3g}"))
    code.explain("MATRIX_LR", "AdamW: all matrices inside the blocks")
    for name in ("MUON_MOMENTUM", "MUON_STEPS", "WEIGHT_DECAY"):
        if not any(last_name(node) == name for node in code.find(ast.Attribute, lambda node: True)):
            code.drop_constant(name)


@edit("Drop Nesterov's look-ahead from Muon", "optimizer", 0.25,
      "Plain momentum uses the average of past gradients alone. It is simpler, and the look-ahead matters least when "
      "the rate falls for much of the run; it usually costs a little.")  # fmt: skip
def no_nesterov(code: Code) -> None:
    call = code.call("orthogonalise", _step(code))
    if not (isinstance(call.args[0], ast.Call) and last_name(call.args[0].func) == "lerp"):
        raise NoFit
    code.replace(call.args[0], code.text(call.args[0].args[0]))


@edit("Give all rows of Muon's update the same length", "optimizer", 0.4,
      "After orthogonalising, rows of tall matrices still differ in length, so some neurons move much more than "
      "others. Normalising the rows, at the same mean length, evens out how fast neurons learn.")  # fmt: skip
def normalise_rows(code: Code) -> None:
    if code.find(ast.Assign, lambda node: ast.unparse(node.targets[0]) == "lengths", _step(code)):
        raise NoFit
    code.after(
        code.assignment("update", _step(code)),
        """
        lengths = update.norm(dim=-1, keepdim=True).clamp_min(1e-7)
        update = update / lengths * lengths.mean(dim=-2, keepdim=True)
        """,
    )


@edit("Mask Muon's update where it disagrees with the gradient", "optimizer", 0.3,
      "Momentum may still push an entry the way the present gradient says is wrong. Leaving such entries out, and "
      "scaling up the rest, is the cautious update; it helped Adam in several reports.")  # fmt: skip
def cautious_update(code: Code) -> None:
    step = _step(code)
    if code.find(ast.Assign, lambda node: ast.unparse(node.targets[0]) == "agrees", step):
        raise NoFit
    code.assignment("grads", step)
    code.after(
        next(reversed(code.find(ast.Assign, lambda node: ast.unparse(node.targets[0]) == "update", step)), None)
        or code.assignment("update", step),
        """
        agrees = (update * grads > 0).type_as(update)
        update = update * agrees / agrees.mean(dim=(-2, -1), keepdim=True).clamp_min(1e-3)
        """,
    )


@edit("Decay the matrices towards zero", "regularisation", 0.3,
      "Muon's updates have a fixed size, so weights grow without bound and each step turns them less. A decay keeps "
      "the norm in check; within a few hundred steps it can only matter a little.")  # fmt: skip
def decay_matrices(code: Code) -> None:
    if not code.uses("WEIGHT_DECAY"):
        raise NoFit
    old = code.constant("WEIGHT_DECAY")
    code.set_constant("WEIGHT_DECAY", float(f"{old * 2:.3g}") if old else 0.5)


@edit("Clip the norm of the gradients at 1", "regularisation", 0.15,
      "A rare batch with a huge gradient can throw the embeddings off. Muon and AdamW both ignore the size of the "
      "gradient, so clipping has little to protect and costs a pass over all parameters.")  # fmt: skip
def clip_gradients(code: Code) -> None:
    train = code.function("train")
    loops = code.find(ast.For, lambda node: ast.unparse(node.iter) == "optimizers", train)
    if len(loops) != 1 or code.uses("clip_grad_norm_"):
        raise NoFit
    code.before(loops[0], "nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT)")
    code.new_constant("MAX_GRADIENT", "1.0", "longest gradient, over all parameters, that is used as it is", "ADAM_EPS")
