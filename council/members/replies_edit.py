"""Finding the edit in a reply: SEARCH/REPLACE blocks, a unified diff, or a whole file, all or nothing.

What: `find_edit` returns the edit, fitted to the file it changes, and the prose around it; None where there is no edit.
Why: models wrap edits in fences, lists and prose, indent them, number their lines and send a diff instead; what is
meant beyond doubt is taken, what is not goes back with the reason. How to extend: a new shape is a `_from_…` here that
returns blocks; how a block finds its place is in `replies_fit.py`. Raises nothing but BadReply.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from council.errors import BadReply
from council.members.replies_fit import fit
from council.types import TRAIN_PY, Block, Edit

ACCEPTED = (TRAIN_PY, TRAIN_PY.rsplit("/", 1)[-1])
"""What the file may be called, after ./, a/ and b/ are gone."""

_OPEN = re.compile(r"^([ \t]*)<{5,9}[ \t]*(\S[^\n]*)?$", re.MULTILINE)
_MIDDLE = re.compile(r"^[ \t]*={5,9}[ \t]*$", re.MULTILINE)
_CLOSE = re.compile(r"^[ \t]*>{5,9}(?:[ \t]*\S[^\n]*)?$", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})([^\n`]*)$", re.MULTILINE)
_PATH = re.compile(r"[\w.@~/\\-]*[\w-]\.(?:py|md|txt|toml|ya?ml|json|sh|cfg|lock|db|ini)\b")
_NAMED = re.compile(r"^[ \t>*#`]*(?:[Ff]ile: *)?(?:\./)?(?:lab/)?train\.py[ \t*`:]*$\n?", re.MULTILINE)
_HUNK = re.compile(r"^@@(?:[^@\n]*@@)?.*$")
_PATCH = re.compile(r"^[ \t]*\*\*\* (Add File|Update File|Delete File|Move to):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_RENAMED = re.compile(r"^(?:rename|copy) (?:from|to) (.+)$|^diff --git (?:a/)?(\S+) (?:b/)?(\S+)$", re.MULTILINE)
_FILES = re.compile(r"^--- .*\n\+\+\+ ([^\s]+)", re.MULTILINE)
_WHOLE = re.compile(r"^def (build|train)\b", re.MULTILINE)
_LEFT_OUT = re.compile(
    r"^[ \t]*(?:#[ \t]*)?(?:\.\.\.|…)[^\n]*\b(?:rest|remain\w*|existing|unchanged|same|previous|omitted)\b[^\n]*$"
    r"|^[ \t]*#[^\n]*\b(?:rest of|remaining|existing|unchanged)\b[^\n]*(?:\.\.\.|…)[^\n]*$",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True)
class Found:
    """An edit, and the reply without it."""

    edit: Edit
    prose: str


def has_edit(text: str) -> bool:
    """Whether there is something in a reply that means to be an edit."""
    return bool(_OPEN.search(text) or _is_diff(text) or len(_WHOLE.findall(text)) >= 2)


def find_edit(text: str, source: str) -> Found | None:
    """The edit of a reply for `source`, or None if it has none."""
    _check_headers(text)
    if _OPEN.search(text):
        blocks, prose = _from_markers(text)
        for named in _FILES.finditer(prose):  # a diff besides the blocks is not taken, but what it names counts
            _check_path(len(blocks) + 1, named[1])
        whole = blocks[0].replace if len(blocks) == 1 and not blocks[0].search.strip() else ""
        if whole and len(_WHOLE.findall(whole)) >= 2:
            return Found(Edit(whole=_ended(whole)), prose)
    elif _is_diff(text):
        blocks, prose = _from_diff(text)
    else:
        return _from_file(text)
    for number, block in enumerate(blocks, 1):
        if (match := _LEFT_OUT.search(block.replace)) and match[0].strip() not in block.search:
            raise BadReply(f"block {number} abbreviates code ({match[0].strip()[:80]!r}); write it out")
    return Found(Edit(blocks=tuple(fit(block, source) for block in blocks)), prose)


def _from_markers(text: str) -> tuple[list[Block], str]:
    """SEARCH/REPLACE blocks in the order they stand, and what is around them."""
    blocks: list[Block] = []
    prose: list[str] = []
    at = 0
    while start := _OPEN.search(text, at):
        number = len(blocks) + 1
        middle = _MIDDLE.search(text, start.end())
        close = _CLOSE.search(text, middle.end()) if middle else None
        again = _OPEN.search(text, start.end())
        if middle is None or close is None:
            raise BadReply(f"the reply stops inside block {number}: its ======= or >>>>>>> REPLACE is missing")
        if again and again.start() < close.start():
            raise BadReply(f"block {number} is not closed before the next one begins")
        before = text[at : start.start()]
        _check_path(number, _path_before(before, start[2] or ""))
        search, replace = text[start.end() + 1 : middle.start()], text[middle.end() + 1 : close.start()]
        blocks.append(_dedented(Block(_unfenced(search), _unfenced(replace)), start[1]))
        prose.append(_NAMED.sub("", before))
        at = close.end()
    return blocks, "".join([*prose, text[at:]])


def _path_before(before: str, marker: str) -> str | None:
    """The file a block names: on its marker, on the line before it, or on the fence around it."""
    if named := _PATH.search(marker):
        return named[0]
    lines = [line.strip() for line in before.splitlines()]
    while lines and (not lines[-1] or re.fullmatch(r"(`{3,}|~{3,})[\w+-]*", lines[-1])):
        lines.pop()
    last = lines[-1] if lines else ""
    bare = re.sub(
        r"^(?:file(?:name)?|path|edit)\s*:\s*|^(?:`{3,}|~{3,})[\w+-]*[: ]", "", last.strip("*#> "), flags=re.I
    )
    bare = bare.strip("*#`\"': ")
    return bare if bare and " " not in bare and (_PATH.fullmatch(bare) or "/" in bare or "\\" in bare) else None


def _check_path(number: int, path: str | None) -> None:
    if path is None:
        return
    name = path.replace("\\", "/")
    for start in ("./", "a/", "b/"):
        name = name.removeprefix(start)
    if name not in ACCEPTED:
        raise BadReply(f"block {number} changes {path[:120]!r}; only {TRAIN_PY} may change, so nothing was taken")


def _check_headers(text: str) -> None:
    """Every file that the headers of a patch name: one that may not change must not be dropped in silence."""
    for number, match in enumerate(_PATCH.finditer(text), 1):
        _check_path(number, match[2])
        if match[1] in ("Delete File", "Move to"):
            raise BadReply(f"the patch would delete or move {TRAIN_PY}; it can only be changed")
    for match in _RENAMED.finditer(text):
        for path in filter(None, match.groups()):
            _check_path(1, path)


def _unfenced(text: str) -> str:
    """A half of a block without a fence that was put inside the markers."""
    lines = text.split("\n")
    inner = [i for i, line in enumerate(lines) if line.strip()]
    if len(inner) >= 2 and _FENCE.fullmatch(lines[inner[0]]) and re.fullmatch(r"\s*(`{3,}|~{3,})\s*", lines[inner[-1]]):
        return "\n".join([*lines[inner[0] + 1 : inner[-1]], ""])
    return text


def _dedented(block: Block, indent: str) -> Block:
    """A block without the indentation of the list it stood in, if every line has it."""
    lines = (block.search + block.replace).split("\n")
    if not indent or not all(line.startswith(indent) or not line.strip() for line in lines):
        return block
    pattern = re.compile(f"^{re.escape(indent)}", re.MULTILINE)
    return Block(pattern.sub("", block.search), pattern.sub("", block.replace))


def _is_diff(text: str) -> bool:
    head = re.search(r"^[ \t]*@@|^\*\*\* Update File:", text, re.MULTILINE)
    return bool(head and re.search(r"^[ \t]*[+-]", text, re.MULTILINE))


def _from_diff(text: str) -> tuple[list[Block], str]:
    """The hunks of a unified diff as blocks; its line numbers are not believed."""
    blocks: list[Block] = []
    prose: list[str] = []
    old: list[str] = []
    new: list[str] = []
    inside = False
    lines = text.split("\n")

    def close() -> None:
        nonlocal inside
        while old and new and not old[-1].strip() and not new[-1].strip():
            old.pop()
            new.pop()
        if inside and old != new:
            if not any(line.strip() for line in old):
                raise BadReply(
                    f"hunk {len(blocks) + 1} of the diff has no line to find its place by; add context lines"
                )
            blocks.append(Block("".join(f"{x}\n" for x in old), "".join(f"{x}\n" for x in new)))
        old.clear()
        new.clear()
        inside = False

    for at, line in enumerate(lines):
        if _HUNK.match(line) or line.startswith("*** Update File:"):  # such a patch may begin without @@
            close()
            inside = True
        elif re.match(r"(?:---|\+\+\+) ", line) and (not inside or _starts_file(lines, at)):
            close()
            path = line[4:].split("\t")[0].strip()
            _check_path(len(blocks) + 1, None if path == "/dev/null" else path)
        elif inside and line[:1] in ("+", "-", " ", ""):
            if line[:1] != "+":
                old.append(line[1:])
            if line[:1] != "-":
                new.append(line[1:])
        elif inside and not line.startswith("\\"):
            close()
            prose.append(line)
        elif not inside:
            prose.append(line)
    close()
    if not blocks:
        raise BadReply("the diff changes nothing")
    return blocks, "\n".join(prose)


def _starts_file(lines: list[str], at: int) -> bool:
    return (
        lines[at].startswith("--- ")
        and at + 1 < len(lines)
        and lines[at + 1].startswith("+++ ")
        or (lines[at].startswith("+++ ") and lines[at - 1].startswith("--- "))
    )


def _from_file(text: str) -> Found | None:
    """A whole file: the one fenced block that defines build and train, or the reply itself."""
    fences = list(_FENCE.finditer(text))
    files: list[tuple[str, str]] = []
    at = 0
    while at < len(fences):
        start = fences[at]
        end = next((f for f in fences[at + 1 :] if f[1].startswith(start[1]) and not f[2].strip()), None)
        body = text[start.end() + 1 : end.start() if end else len(text)]
        if len(_WHOLE.findall(body)) >= 2:
            if end is None:
                raise BadReply("the reply stops inside the file: its closing fence is missing")
            _check_path(1, _path_before(text[: start.end()], ""))
            files.append((body, text[: start.start()] + text[end.end() :]))
        at = fences.index(end) + 1 if end else len(fences)
    if len({body for body, _ in files}) > 1:
        raise BadReply("there are several whole files in it; give one")
    if not files:
        if fences or len(_WHOLE.findall(text)) < 2:
            return None
        return _bare_file(text)
    body, prose = files[0]
    return Found(Edit(whole=_checked(body)), prose)


def _bare_file(text: str) -> Found:
    """A file without a fence: everything from its first line of code on."""
    start = re.search(r'^(?:"""|\'\'\'|from \w|import \w|#!|# )', text, re.MULTILINE)
    at = start.start() if start else 0
    return Found(Edit(whole=_checked(text[at:])), text[:at])


def _checked(body: str) -> str:
    if match := _LEFT_OUT.search(body):
        raise BadReply(f"the file abbreviates code ({match[0].strip()[:80]!r}); give the whole file, or blocks")
    return _ended(body)


def _ended(text: str) -> str:
    return text.strip("\n") + "\n"
