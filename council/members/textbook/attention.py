"""Textbook edits of attention and of how it knows positions.

To add one, write it below another of its kind; `council.members.textbook.catalogue` says how.
"""

from __future__ import annotations

import ast

from council.members.textbook.catalogue import edit, scaled
from council.members.textbook.rewrite import Code, NoFit, is_name, last_name


def _heads(code: Code, factor: float) -> None:
    size = code.constant("HEAD_DIM") * factor
    if size % 2 or size < 8 or code.constant("DIM") % size:
        raise NoFit
    code.set_constant("HEAD_DIM", size)


@edit("Use twice as many heads of half the size", "attention", 0.35,
      "More heads can look at more places at once, which matters in a model of few layers. Each has a coarser idea of "
      "what it is looking for.")  # fmt: skip
def more_heads(code: Code) -> None:
    _heads(code, 0.5)


@edit("Use half as many heads of twice the size", "attention", 0.35,
      "Fewer, larger heads mean fewer attention matrices to compute and a finer match between query and key. The model "
      "can look at fewer places at once.")  # fmt: skip
def fewer_heads(code: Code) -> None:
    _heads(code, 2)


short_rope = scaled(
    "ROPE_BASE", 0.1, "Shorten the wavelengths of the rotary embedding", "attention", 0.35,
    "Most of the wavelengths are far longer than the sequence, so those channels hardly turn. A smaller base spends "
    "them on distances that occur.", low=50,
)  # fmt: skip


@edit("Leave queries and keys unnormalised", "attention", 0.12,
      "Without the two normalisations each step is cheaper, and the model itself learns how sharp attention is. It "
      "gives up what keeps large learning rates stable.")  # fmt: skip
def no_qk_norm(code: Code) -> None:
    attention = code.method("Attention", "forward")
    norms = [call for call in code.calls("norm", attention) if _of_query_or_key(call)]
    if len(norms) != 2:
        raise NoFit
    for call in norms:
        code.replace(call, code.text(call.args[0]))
    code.describe(code.klass("Attention"), "Causal self-attention.")
    code.commit()
    _drop_idle_pair(code)


def _of_query_or_key(call: ast.Call) -> bool:
    return len(call.args) == 1 and any(is_name(node, name) for node in ast.walk(call.args[0]) for name in "qk")


def _drop_idle_pair(code: Code) -> None:
    """Delete `q, k = q, k`, which is what is left when nothing is done to either."""
    attention = code.method("Attention", "forward")
    code.drop(*code.find(ast.Assign, lambda node: ast.unparse(node) == "q, k = (q, k)", attention))


@edit("Take the rotary embedding out", "attention", 0.06,
      "Causal attention can infer some order by itself, and without rotation the code is much shorter. Local order is "
      "most of what so small a model learns, so it should miss the positions.")  # fmt: skip
def no_rope(code: Code) -> None:
    turned = code.calls("rotate", code.method("Attention", "forward"))
    if len(turned) != 2:
        raise NoFit
    made, used = code.method("GPT", "__init__"), code.method("GPT", "forward")
    for call in turned:
        code.replace(call, code.text(call.args[0]))
    code.drop(code.function("rotate"), code.function("rotary_table"))
    code.drop(*[code.statement(call) for call in code.calls("register_buffer", made)])
    code.drop(code.statement(code.call("rotary_table", made)), code.assignment("cos", used))
    code.describe(code.klass("Attention"), "Causal self-attention without positions.")
    code.drop_constant("ROPE_BASE")
    code.commit()
    used = code.method("GPT", "forward")
    if len(code.find(ast.Name, lambda node: node.id == "T", used)) == 1:
        code.drop(code.assignment("T", used))
    code.commit()
    for name in ("cos", "sin"):
        code.forget(name)
    _drop_idle_pair(code)


@edit("Let each head gate its output", "attention", 0.2,
      "A head that found nothing must still add something to the stream; a gate computed from the token lets it stay "
      "silent. Public logs of short runs mostly found it not worth its time.")  # fmt: skip
def gate_heads(code: Code) -> None:
    made, used = code.method("Attention", "__init__"), code.method("Attention", "forward")
    found = code.assignment("y", used)
    if code.find(ast.Attribute, lambda node: node.attr == "gate", code.klass("Attention")):
        raise NoFit
    code.after(
        code.assignment("self.out", made),
        """
        self.gate = nn.Linear(h.DIM, h.DIM // h.HEAD_DIM, bias=False)
        nn.init.zeros_(self.gate.weight)
        """,
    )
    code.after(found, "y = y * 2 * torch.sigmoid(self.gate(x)).transpose(1, 2)[..., None]  # a gate per head and token")


@edit("Sharpen attention", "attention", 0.4,
      "Normalised queries and keys bound how peaked attention can be, and in small heads that bound is low. Scaling "
      "the queries up lets a head settle on one token.")  # fmt: skip
def sharper_attention(code: Code) -> None:
    queries = [
        node.value.elts[0]
        for node in code.find(ast.Assign, lambda node: True, code.method("Attention", "forward"))
        if ast.unparse(node.targets[0]) == "(q, k)" and isinstance(node.value, ast.Tuple)
    ]
    query = queries[0] if len(queries) == 1 else None
    if not (isinstance(query, ast.Call) and last_name(query.func) == "norm"):
        raise NoFit
    code.replace(query, f"QUERY_SCALE * {code.text(query)}")
    code.new_constant("QUERY_SCALE", "1.3", "length of the normalised queries, which sharpens attention", "ROPE_BASE")
