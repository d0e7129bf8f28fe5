"""Slates: each judge sees the others' proposals in an order of its own, under labels that say nothing.

Labels follow the display order, so the same proposal has different labels for different judges, and a judge's own
proposal is left out (recused), because anonymity does not stop self-preference.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Draw:
    """One judge's slate: (label, proposal id) in display order, and the ids left out because they are its own."""

    shown: tuple[tuple[str, int], ...]
    recused: tuple[int, ...]


def draw(judge: str, authors: Mapping[int, str], seed: int) -> Draw:
    """The slate of `judge` among proposals {id: author}, permuted by `seed`."""
    others = [p for p in sorted(authors) if authors[p] != judge]
    random.Random(seed).shuffle(others)
    return Draw(
        tuple((label(i), p) for i, p in enumerate(others)),
        tuple(p for p in sorted(authors) if authors[p] == judge),
    )


def label(index: int) -> str:
    """A, B, … Z, AA, AB, …"""
    text = ""
    index += 1
    while index:
        index, digit = divmod(index - 1, 26)
        text = chr(ord("A") + digit) + text
    return text
