"""Which proposal of a round is A, which is B.

Each judge saw labels of its own. Faces use one set for everybody: the first versions of a round's proposals in order
of their ids are A, B, C …; a repair or a revision carries the letter of what it replaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from council.views.sessions import Row


def letters(index: int) -> str:
    """0 → A, 25 → Z, 26 → AA."""
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


@dataclass(frozen=True)
class Labels:
    """Letters of one round: by proposal id, and every version of a letter in order of ids."""

    of: Mapping[int, str]
    versions: Mapping[str, tuple[Row, ...]]

    def name(self, proposal: int | None) -> str | None:
        """The letter of a proposal id; None for one of another round."""
        return None if proposal is None else self.of.get(proposal)

    def names(self, proposals: Iterable[int]) -> list[str]:
        """The letters of several ids, in the given order."""
        return [self.of[p] for p in proposals if p in self.of]


def assign(proposals: Iterable[Row]) -> Labels:
    """Letters for the rows of `proposals` of one round."""
    of: dict[int, str] = {}
    versions: dict[str, tuple[Row, ...]] = {}
    for row in sorted(proposals, key=lambda row: int(row["id"])):
        label = of.get(row["replaces"]) or letters(len(versions))
        of[row["id"]] = label
        versions[label] = (*versions.get(label, ()), row)
    return Labels(of, versions)
