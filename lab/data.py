"""What a measurement is made of: shuffled training tokens and a fixed set of rows to score.

Why chunks: a short run sees only the first part of its tokens, so they are shuffled in chunks by the
experiment's seed and every run sees the whole mix. Why strided rows: the score must come from all
documents of a split, and no setting of `train.py` may change which.
"""

from dataclasses import dataclass

import numpy as np

from lab.cache import Prepared
from lab.errors import LabError
from lab.settings import CHUNK, SMOKE_ROWS, SMOKE_TOKENS, Sizes


@dataclass(frozen=True)
class Data:
    """All that the referee holds for one experiment."""

    train: np.ndarray  # int16 [tokens], in the order in which they are handed over
    rows: np.ndarray  # int16 [rows, seq_len + 1]: inputs, and the target one further
    byte_lengths: np.ndarray  # int64 [vocab_size]; 0 for special tokens


def shuffled(tokens: np.ndarray, seed: int, chunk: int = CHUNK) -> np.ndarray:
    """`tokens` cut into whole chunks, in an order that depends on `seed` alone; the rest is dropped."""
    chunks = tokens[: len(tokens) // chunk * chunk].reshape(-1, chunk)
    return chunks[np.random.default_rng(seed).permutation(len(chunks))].reshape(-1)


def strided_rows(tokens: np.ndarray, count: int, seq_len: int, batch: int = 1) -> np.ndarray:
    """At most `count` disjoint rows [count, seq_len + 1] at even distances over all of `tokens`.

    Their number is a multiple of `batch` if there are that many: a smaller last batch would be computed in another
    order, and losses would differ in their last bits with the place of a row.
    Raises LabError if `tokens` does not hold a single row.
    """
    count = min(count, len(tokens) // (seq_len + 1))
    if count < 1:
        raise LabError(f"{len(tokens)} tokens are too few for one row of {seq_len + 1}")
    count = count // batch * batch or count
    starts = np.arange(count) * (len(tokens) // count)
    return tokens[starts[:, None] + np.arange(seq_len + 1)]


def experiment_data(prepared: Prepared, sizes: Sizes, seed: int, split: str) -> Data:
    """The data of one experiment, scored on `split`."""
    rows = strided_rows(prepared.tokens[split], sizes.eval_tokens // sizes.seq_len, sizes.seq_len, sizes.eval_batch)
    return Data(shuffled(prepared.tokens["train"], seed), rows, prepared.tokenizer.byte_lengths())


def random_data(sizes: Sizes, seed: int) -> Data:
    """Tokens without meaning, for a smoke run, so that it needs no corpus."""
    generator = np.random.default_rng(seed)
    train = generator.integers(sizes.vocab_size, size=SMOKE_TOKENS, dtype=np.int16)
    rows = generator.integers(sizes.vocab_size, size=(SMOKE_ROWS, sizes.seq_len + 1), dtype=np.int16)
    return Data(train, rows, np.ones(sizes.vocab_size, dtype=np.int64))


def fingerprint(prepared: Prepared, sizes: Sizes) -> dict[str, object]:
    """What was measured: equal exactly when corpus, splits, tokenizer, V, T and the scored rows are."""
    return {
        "corpus": prepared.corpus,
        "text": prepared.text_digest[:16],
        "tokenizer": prepared.tokenizer.digest()[:16],
        "near_duplicates": prepared.near_duplicates,
        "tokens": {split: len(tokens) for split, tokens in prepared.tokens.items()},
        "vocab_size": sizes.vocab_size,
        "seq_len": sizes.seq_len,
        "eval_tokens": sizes.eval_tokens,
    }
