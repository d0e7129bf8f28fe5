"""Text to tokens: rustbpe learns the merges, tiktoken applies them, JSON keeps them.

Why JSON and not a pickle: the referee reads the file, and a pickle runs code when it is read. The last
token of the vocabulary is special, `<|bos|>`: it opens every document and counts no bytes.

    tok = Tokenizer.train(texts, vocab_size=2048)
    tok.encode_documents(texts)        # int16 array, every document opened by tok.bos
"""

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

RECIPE = "rustbpe-gpt4-pattern-1"  # change it whenever the same text would give other tokens
BOS = "<|bos|>"


@dataclass(frozen=True)
class Tokenizer:
    """A byte-pair encoding with one special token at the end of its vocabulary."""

    pattern: str  # regular expression that cuts text into words before merging
    tokens: tuple[bytes, ...]  # the bytes of every ordinary token, by rank

    @classmethod
    def train(cls, texts: Sequence[str], vocab_size: int) -> "Tokenizer":
        """Learn `vocab_size - 1` ordinary tokens from `texts`; at least the 256 bytes."""
        import rustbpe

        learner = rustbpe.Tokenizer()
        learner.train_from_iterator(iter(texts), vocab_size - 1)
        ranked = sorted(learner.get_mergeable_ranks(), key=lambda pair: pair[1])
        return cls(learner.get_pattern(), tuple(bytes(token) for token, _ in ranked))

    @property
    def vocab_size(self) -> int:
        """Number of tokens, `bos` included."""
        return len(self.tokens) + 1

    @property
    def bos(self) -> int:
        """The id of the special token that opens a document."""
        return len(self.tokens)

    @cached_property
    def _encoding(self) -> Any:
        import tiktoken

        ranks = {token: rank for rank, token in enumerate(self.tokens)}
        return tiktoken.Encoding("lab", pat_str=self.pattern, mergeable_ranks=ranks, special_tokens={BOS: self.bos})

    def encode_documents(self, texts: Sequence[str]) -> np.ndarray:
        """All documents as one int16 array, each opened by `bos`. Text that spells `<|bos|>` stays text."""
        encoded = self._encoding.encode_ordinary_batch(list(texts), num_threads=os.cpu_count() or 1)
        parts = [np.array([self.bos, *ids], dtype=np.int16) for ids in encoded]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int16)

    def decode(self, ids: Sequence[int]) -> bytes:
        """The bytes behind `ids`; `bos` has none."""
        return b"".join(self.tokens[i] for i in ids if i != self.bos)

    def byte_lengths(self) -> np.ndarray:
        """Bytes per token, int64 [vocab_size]; 0 for `bos`.

        Counted on the token's own bytes: a lone byte >= 0x80 counts one, where a detour through `str`
        would turn it into the three bytes of a replacement character.
        """
        return np.array([*(len(token) for token in self.tokens), 0], dtype=np.int64)

    def to_json(self) -> str:
        """A text from which `from_json` makes an equal tokenizer."""
        ranks = [base64.b64encode(token).decode("ascii") for token in self.tokens]
        return json.dumps({"recipe": RECIPE, "pattern": self.pattern, "tokens": ranks})

    @classmethod
    def from_json(cls, text: str) -> "Tokenizer":
        """The reverse of `to_json`. Raises ValueError or KeyError on any other text."""
        data = json.loads(text)
        return cls(data["pattern"], tuple(base64.b64decode(token, validate=True) for token in data["tokens"]))

    def digest(self) -> str:
        """SHA-256 (hex) of the stored form."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()
