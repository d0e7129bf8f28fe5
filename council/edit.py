"""Edits as text: apply one to its parent, make one from two texts, show one as a unified diff.

All or nothing: every search text must occur exactly once in the parent, or nothing changes and the error shows the
nearest region. The law: `apply(between(a, b), a) == b` for any two texts. Pure functions over strings.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from council.errors import EditError
from council.types import TRAIN_PY, Block, Edit

CONTEXT_SHOWN = 12
"""Lines of the nearest region that an error shows back."""


def apply(edit: Edit, parent: str) -> str:
    """The text after the edit. Raises EditError with the reason for its author if it does not apply."""
    if edit.path != TRAIN_PY:
        raise EditError(f"the edit names {edit.path!r}; only {TRAIN_PY} may change")
    if (edit.whole is None) == (not edit.blocks):
        raise EditError("an edit is either SEARCH/REPLACE blocks or one whole file")
    if edit.whole is not None:
        return edit.whole
    spans = sorted(_locate(number, block, parent) for number, block in enumerate(edit.blocks, 1))
    for (_, end, number, _), (start, _, other, _) in zip(spans, spans[1:], strict=False):
        if start < end:
            raise EditError(f"blocks {number} and {other} overlap; merge them into one")
    text, at = [], 0
    for start, end, _, replace in spans:
        text += [parent[at:start], replace]
        at = end
    return "".join([*text, parent[at:]])


def _locate(number: int, block: Block, parent: str) -> tuple[int, int, int, str]:
    if not block.search:
        raise EditError(f"block {number} has an empty search text")
    count = parent.count(block.search)
    if count > 1:
        raise EditError(f"the search text of block {number} occurs {count} times; add lines until it is unique")
    if count == 0:
        near = _nearest(block.search, parent)
        raise EditError(f"the search text of block {number} does not occur; the nearest region is:\n{near}")
    start = parent.index(block.search)
    return start, start + len(block.search), number, block.replace


def _nearest(search: str, parent: str) -> str:
    """The region of the parent most like the search text, for its author to copy from."""
    wanted, lines = search.splitlines() or [""], parent.splitlines()
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(max(wanted, key=len).strip())
    best, at = -1.0, 0
    for index, line in enumerate(lines):
        matcher.set_seq1(line.strip())
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best and (ratio := matcher.ratio()) > best:
            best, at = ratio, index
    start = max(0, at - wanted.index(max(wanted, key=len)))
    return "\n".join(lines[start : start + max(3, min(len(wanted) + 2, CONTEXT_SHOWN))])


def between(old: str, new: str) -> Edit:
    """The smallest blocks of whole lines that turn `old` into `new`; a whole file where lines do not suffice."""
    if not old or old == new:
        return Edit(whole=new)
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    spans = _unique_spans(before, difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes(), old)
    blocks = tuple(Block("".join(before[a:b]), "".join(after[c:d])) for a, b, c, d in spans)
    try:
        if apply(Edit(blocks=blocks), old) == new:
            return Edit(blocks=blocks)
    except EditError:
        pass
    return Edit(whole=new)


def _unique_spans(
    before: list[str], opcodes: Sequence[tuple[str, int, int, int, int]], old: str
) -> list[tuple[int, int, int, int]]:
    """Changed line ranges, each widened by equal lines until its old text is unique, merged where they meet."""
    spans: list[tuple[int, int, int, int]] = []
    for tag, a, b, c, d in opcodes:
        if tag == "equal":
            continue
        while (a == b or old.count("".join(before[a:b])) != 1) and (a > 0 or b < len(before)):
            if a > 0:
                a, c = a - 1, c - 1
            if b < len(before) and (a == b or old.count("".join(before[a:b])) != 1):
                b, d = b + 1, d + 1
        while spans and spans[-1][1] >= a:
            a, c = min(spans[-1][0], a), min(spans[-1][2], c)
            b, d = max(spans[-1][1], b), max(spans[-1][3], d)
            spans.pop()
        spans.append((a, b, c, d))
    return spans


def unified(parent: str, child: str) -> str:
    """A unified diff of train.py, as git would print its hunks."""
    lines = difflib.unified_diff(
        parent.splitlines(keepends=True), child.splitlines(keepends=True), f"a/{TRAIN_PY}", f"b/{TRAIN_PY}"
    )
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)
