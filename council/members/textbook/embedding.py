"""Textbook edits of the embeddings: what a token brings with it.

To add one, write it below another of its kind; `council.members.textbook.catalogue` says how.
"""

from __future__ import annotations

import ast

from council.members.textbook.catalogue import edit, setting
from council.members.textbook.rewrite import Code, NoFit, last_name, mentions, sets_name

value_embeddings_everywhere = setting(
    "VALUE_EMBEDDING_EVERY", 1, "Mix value embeddings into every block", "embedding", 0.4,
    "A table look-up per token is nearly free and adds capacity where the matrices are small. Some blocks have none "
    "yet; the price is updating one more table per step.",
)  # fmt: skip


def _looked_up(code: Code) -> ast.Call:
    """The look-up of the token embedding in the model's forward pass."""
    return code.call("embedding", code.method("GPT", "forward"))


def _group(code: Code, item: str, within: str = "make_optimizers") -> ast.List:
    """The list of parameters that holds `item`."""
    return code.one(ast.List, lambda node: any(ast.unparse(e) == item for e in node.elts), code.function(within))


def _unused(code: Code, name: str) -> None:
    if any(node.attr == name for node in code.find(ast.Attribute, lambda node: True)):
        raise NoFit


@edit("Smear each token's embedding into the next", "embedding", 0.45,
      "Most of what predicts the next token stands in the last two. Adding a learnt share of the previous embedding "
      "gives the first block both, without spending attention on it.")  # fmt: skip
def smear(code: Code) -> None:
    _unused(code, "smear")
    look_up, made = _looked_up(code), code.assignment("self.embedding", code.method("GPT", "__init__"))
    groups = code.one(ast.Assign, lambda node: sets_name(node, "scalars"), code.function("make_optimizers"))
    lists = code.find(ast.List, lambda node: True, groups)
    if len(lists) != 1:
        raise NoFit
    code.before(
        code.klass("GPT"),
        '''
        def smeared(x: Tensor, share: Tensor) -> Tensor:
            """Add to every position of x [B, T, D] a share of the one before it."""
            return torch.cat([x[:, :1], x[:, 1:] + share * x[:, :-1]], dim=1)
        ''',
    )
    code.after(made, "self.smear = nn.Parameter(torch.zeros(h.DIM))  # share of the previous token, per channel")
    code.replace(look_up, f"smeared({code.text(look_up)}, self.smear)")
    code.append(lists[0].elts, lists[0], "model.smear")


@edit("Embed pairs of tokens through a hash", "embedding", 0.5,
      "A table of hashed bigrams hands the model the statistics of pairs at the cost of a look-up, so that the blocks "
      "need not learn them. Collisions are rare enough for the frequent pairs.")  # fmt: skip
def bigram_hash(code: Code) -> None:
    _unused(code, "bigrams")
    look_up, made = _looked_up(code), code.assignment("self.embedding", code.method("GPT", "__init__"))
    group = _group(code, "model.head.weight" if _tied(code) else "model.embedding.weight")
    code.before(
        code.klass("GPT"),
        '''
        def bigram_ids(idx: Tensor, buckets: int) -> Tensor:
            """A bucket for each token of idx [B, T] together with the token before it."""
            before = F.pad(idx[:, :-1], (1, 0))
            return (idx * 36313 + before * 27191) % buckets
        ''',
    )
    code.after(
        made,
        """
        self.bigrams = nn.Embedding(h.BIGRAM_BUCKETS, h.DIM)
        nn.init.zeros_(self.bigrams.weight)
        """,
    )
    code.before(code.statement(look_up), "pairs = bigram_ids(idx, self.bigrams.num_embeddings)")
    code.replace(look_up, f"{code.text(look_up)} + self.bigrams(pairs)")
    code.append(group.elts, group, "model.bigrams.weight")
    code.new_constant("BIGRAM_BUCKETS", "2**14", "rows of the table of hashed token pairs", "VALUE_EMBEDDING_EVERY")


def _tied(code: Code) -> bool:
    return bool(code.find(ast.Assign, lambda node: ast.unparse(node) == "self.head.weight = self.embedding.weight"))


@edit("Tie the output head to the token embedding", "embedding", 0.04,
      "One table for both uses saves parameters and lets every occurrence of a token train both. The two want very "
      "different scales and learning rates, which at short budgets costs far more than it saves.")  # fmt: skip
def tie_head(code: Code) -> None:
    made, start = code.method("GPT", "__init__"), code.method("GPT", "initialise")
    group = _group(code, "model.embedding.weight")
    if _tied(code) or not code.find(ast.List, lambda node: "model.head.weight" in map(ast.unparse, node.elts)):
        raise NoFit
    code.after(code.assignment("self.head", made), "self.head.weight = self.embedding.weight")
    first = code.written("self.embedding.weight.normal_", start)
    code.drop(code.statement(first))
    code.explain("HEAD_LR", "AdamW: output head and token embedding, which are one")
    code.explain("INIT_HEAD", "standard deviation of the output head and token embedding")
    if len(group.elts) == 1:
        _drop_group(code, "model.embedding.weight")
        code.drop_constant("EMBEDDING_LR")
    else:
        code.remove_item(group.elts, [ast.unparse(e) for e in group.elts].index("model.embedding.weight"))
        code.explain("EMBEDDING_LR", "AdamW: further embeddings of the input")
    code.drop_constant("INIT_EMBEDDING")


def _drop_group(code: Code, text: str) -> None:
    """Delete the optimizer of `make_optimizers` that is given `text`, with its line where it has one to itself."""
    returned = code.one(ast.Return, lambda node: True, code.function("make_optimizers"))
    entries = getattr(returned.value, "elts", [])
    found = [at for at, entry in enumerate(entries) if text in ast.unparse(entry)]
    if len(found) != 1:
        raise NoFit
    if [returned.lineno, *(entry.lineno for entry in entries)].count(entries[found[0]].lineno) == 1:
        code.drop(entries[found[0]])
    else:
        code.remove_item(entries, found[0])


@edit("Take the value embeddings out", "simplification", 0.08,
      "The tables hold as many parameters as the token embedding, and updating them costs time in every step. They "
      "are also the cheapest capacity a small model has, so losing them should hurt.")  # fmt: skip
def no_value_embeddings(code: Code) -> None:
    gpt, attention = code.klass("GPT"), code.klass("Attention")
    marks = {"value_embedding", "value_embeddings", "value_gate", "mixes"}
    inside = [
        statement
        for holder in (code.method("Attention", "__init__"), code.method("Attention", "forward"))
        for statement in holder.body
        if mentions(statement, marks)
    ]
    loop = code.statement(code.call("block", code.method("GPT", "forward")))
    fed = [code.assignment("value_embedding", code.method("GPT", "forward"))]
    tables = code.one(ast.For, lambda node: mentions(node.iter, {"value_embeddings"}), code.method("GPT", "initialise"))
    built = code.call("Block", gpt)
    if len(inside) < 2 or len(built.args) != 2 or mentions(loop, {"value_embeddings"}):
        raise NoFit
    code.drop(*inside, *fed, tables, code.assignment("mixes", gpt), code.assignment("self.value_embeddings", gpt))
    code.remove_item(built.args, 1)
    code.describe(attention, "Causal self-attention.")
    _drop_group(code, "model.value_embeddings")
    code.commit()
    for parameter in ("value_embedding", "mixes"):
        code.forget(parameter)
    for name in ("VALUE_EMBEDDING_EVERY", "VALUE_LR"):
        code.drop_constant(name)
    built = code.call("Block", code.klass("GPT"))
    loops = code.find(ast.GeneratorExp, lambda node: node.elt is built)
    if loops and last_name(loops[0].generators[0].target) == "i":
        code.replace(loops[0].generators[0].target, "_")
