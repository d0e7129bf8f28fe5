"""Fitting a SEARCH/REPLACE block to the file it means: exact text first, then what differs in white space only.

What: `fit` returns the block with its search text rewritten to the one place in the file that it must mean, and its
replacement shifted the same way. Why: models lose trailing spaces, indent a copied region, or copy line numbers; the
edit they mean is still beyond doubt. A block with no such place, or with two, is returned as it is, and applying it
says why it fails. How to extend: another harmless difference is another `_ways` entry; it must keep the place unique.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from council.types import Block

_NUMBERED = re.compile(r"^\s*\d+\s?[:|│]\s?")


def fit(block: Block, source: str) -> Block:
    """The block as it applies to `source`, or unchanged if no single place can be meant."""
    if not block.search.strip():
        return block
    bare = _unended(block)
    for candidate in (block, bare):
        if source.count(candidate.search) == 1:
            return candidate
    found = next((found for way in _ways() if (found := way(block, source)) is not None), None)
    return found or (bare if bare.search in source else block)


def _ways() -> Iterator[Callable[[Block, str], Block | None]]:
    yield _whole_lines
    yield _loose
    yield _unnumbered


def _unended(block: Block) -> Block:
    """The block without its last line ends: the file may end without one."""
    if not (block.search.endswith("\n") and block.replace.endswith("\n")):
        return block
    return Block(block.search[:-1], block.replace[:-1])


def _whole_lines(block: Block, source: str) -> Block | None:
    """A search text that occurs several times, but as whole lines only once: widened by the line before it."""
    if source.count(block.search) < 2:
        return None
    return _loose(block, source)


def _loose(block: Block, source: str) -> Block | None:
    """The one region equal but for trailing white space and one common shift of indentation."""
    wanted, lines = _trimmed(block.search), source.splitlines(keepends=True)
    if not wanted:
        return None
    keys = [line.strip() for line in wanted]
    at = [start for start in range(len(lines) - len(wanted) + 1) if lines[start].strip() == keys[0]]
    found = []
    for start in at:
        region = lines[start : start + len(wanted)]
        if [line.strip() for line in region] == keys and (shift := _shift(wanted, region)) is not None:
            found.append((start, region, shift))
    exact = [place for place in found if place[2] == ("", "")]
    chosen = exact if len(exact) == 1 else found
    if len(chosen) != 1:
        return None
    start, region, shift = chosen[0]
    ending = "\r\n" if region[0].endswith("\r\n") else "\n"
    replace = "".join(_moved(line, shift) + ending for line in _trimmed(block.replace))
    search = "".join(region)
    if not search.endswith("\n"):
        replace = replace.removesuffix(ending)
    return _widened(Block(search, replace), source, lines, start, len(wanted))


def _widened(block: Block, source: str, lines: list[str], start: int, size: int) -> Block | None:
    """The block with neighbouring lines until its text occurs once."""
    before, after = start, start + size
    while source.count("".join(lines[before:after])) != 1:
        if before == 0 and after == len(lines):
            return None
        before, after = max(0, before - 1), after if before else min(len(lines), after + 1)
    head, tail = "".join(lines[before:start]), "".join(lines[start + size : after])
    return Block(head + block.search + tail, head + block.replace + tail)


def _shift(wanted: list[str], region: list[str]) -> tuple[str, str] | None:
    """(indentation to take away, indentation to add) that turns every wanted line into the region's, or None."""
    shifts = set()
    for mine, theirs in zip(wanted, region, strict=True):
        if mine.strip():
            a, b = _indent(mine), _indent(theirs)
            if a.endswith(b):
                shifts.add((a.removesuffix(b), ""))
            elif b.endswith(a):
                shifts.add(("", b.removesuffix(a)))
            else:
                return None
    return shifts.pop() if len(shifts) == 1 else None


def _moved(line: str, shift: tuple[str, str]) -> str:
    if not line.strip():
        return ""
    return shift[1] + line.removeprefix(shift[0])


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _trimmed(text: str) -> list[str]:
    """The lines of a text without blank ones at either end and without trailing white space."""
    lines = [line.rstrip() for line in text.split("\n")]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _unnumbered(block: Block, source: str) -> Block | None:
    """The block without line numbers, if every line of its search text has one."""
    lines = [line for line in block.search.split("\n") if line.strip()]
    if not lines or not all(_NUMBERED.match(line) for line in lines):
        return None
    bare = Block(
        *("\n".join(_NUMBERED.sub("", x, count=1) for x in t.split("\n")) for t in (block.search, block.replace))
    )
    return bare if source.count(bare.search) == 1 else _loose(bare, source)
