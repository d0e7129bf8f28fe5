"""Documents that stand in another split almost word for word.

Why: a model that has learnt a held-out document by heart is no better at the next one. In some corpora a quarter of
the validation text stands in training as well. Held-out documents are dropped, not training ones: these may lie on
the disk where they cannot be hidden.

    kept, dropped = without_duplicates({"train": […], "validation": […], "vault": […]})
"""

import re
import zlib
from collections.abc import Sequence

import numpy as np

WINDOW = 12  # words that must follow each other in both
TOO_MUCH = 0.5  # share of a document's windows found elsewhere that makes it a duplicate
SAMPLE_BYTES = 64 << 20  # of a larger corpus only a sample of windows is compared

_WORD = re.compile(r"\w+")
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def without_duplicates(texts: dict[str, list[str]]) -> tuple[dict[str, list[str]], dict[str, int]]:
    """`texts` by split without the near-duplicates, and how many were dropped from each held-out split.

    Validation is compared with training, the vault with both.
    """
    every = max(1, sum(len(text) for group in texts.values() for text in group) // SAMPLE_BYTES)
    known = _union([windows(text) for text in texts["train"]], every)
    kept, dropped = {"train": texts["train"]}, {}
    for split in ("validation", "vault"):
        found = [windows(text) for text in texts[split]]
        is_new = [_share(part, known, every) < TOO_MUCH for part in found]
        kept[split] = [text for text, new in zip(texts[split], is_new, strict=True) if new]
        dropped[split] = len(texts[split]) - len(kept[split])
        known = np.union1d(known, _union(found, every))
    return kept, dropped


def windows(text: str) -> np.ndarray:
    """A hash, uint64, of every run of WINDOW words; of all of them together if there are fewer."""
    words = np.array([zlib.crc32(word.encode("utf-8", "replace")) for word in _WORD.findall(text)], dtype=np.uint64)
    length = max(1, min(WINDOW, len(words)))
    total = np.zeros(max(0, len(words) - length + 1), dtype=np.uint64)
    for offset in range(length):
        total = (total ^ words[offset : offset + len(total)]) * _FACTOR
        total ^= total >> np.uint64(29)
    return total


def _share(part: np.ndarray, known: np.ndarray, every: int) -> float:
    chosen = part[part % np.uint64(every) == 0] if every > 1 else part
    if len(chosen) == 0:
        return 0.0
    where = np.searchsorted(known, chosen)
    return float((known[np.minimum(where, len(known) - 1)] == chosen).mean()) if len(known) else 0.0


def _union(parts: Sequence[np.ndarray], every: int) -> np.ndarray:
    if not parts:
        return np.zeros(0, dtype=np.uint64)
    return np.unique(np.concatenate([part[part % np.uint64(every) == 0] for part in parts]))
