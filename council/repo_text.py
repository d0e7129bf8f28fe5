"""What a commit of the council says, as text: names, subjects, trailers.

Why apart: a subject carries what a member wrote, so it is hostile until cleaned, and the trailers tie git to the
database. Pure functions, no git. How to extend: a new trailer is only a key that its writer
passes to `Repo.commit_file`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from council.errors import CouncilError, RepositoryError, StoreError

SUBJECT_LIMIT = 160
"""Longest subject of a commit, in characters."""

VALUE_LIMIT = 500
"""Longest value of a trailer, in characters."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_TRAILER = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,63}): ?(.*)")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9/._-]{0,254}")
_ESCAPE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b.?")
_FULL = ("No space left", "Disk quota exceeded", "File too large")
_NAMESPACES = ("refs/council/", "refs/heads/council/")


def valid_session_name(name: str) -> bool:
    """Whether a name can be a session: it becomes part of a ref and of a folder."""
    return _NAME.fullmatch(name) is not None and ".." not in name and not name.endswith((".lock", "."))


def valid_ref(name: str) -> bool:
    """Whether the council may write this ref: inside its two namespaces, every part a valid name."""
    return any(
        name.startswith(space) and all(valid_session_name(part) for part in name[len(space) :].split("/"))
        for space in _NAMESPACES
    )


def valid_revision(text: str) -> bool:
    """Whether git will read this as a revision and never as an option, a range or a path."""
    return _REVISION.fullmatch(text) is not None and ".." not in text


def one_line(text: str, limit: int) -> str:
    """`text` as one printable line: no escapes, nothing invisible, no scissors, at most `limit` long."""
    text = _ESCAPE.sub("", text)
    text = "".join(" " if _blank(character) else character for character in text if not _hidden(character))
    text = re.sub("-{3,}", "--", " ".join(text.split()))
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _blank(character: str) -> bool:
    return character in "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85" or unicodedata.category(character) in ("Zl", "Zp", "Zs")


def _hidden(character: str) -> bool:
    return not _blank(character) and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Cn", "Co")


def message(subject: str, trailers: Mapping[str, str]) -> str:
    """The text of a commit: a clean subject, and the trailers as the last paragraph."""
    lines = [one_line(subject, SUBJECT_LIMIT) or "(no subject)"]
    if trailers:
        lines.append("")
    for key, value in trailers.items():
        if _KEY.fullmatch(key) is None:
            raise ValueError(f"not the key of a trailer: {key!r}")
        lines.append(f"{key}: {one_line(value, VALUE_LIMIT)}")
    return "\n".join(lines) + "\n"


def parse_trailers(text: str) -> dict[str, str]:
    """The trailers of a commit's text: its last paragraph, unless that is also its first or holds any other line."""
    paragraphs = text.rstrip("\n").split("\n\n")
    if len(paragraphs) < 2:
        return {}
    found = [_TRAILER.fullmatch(line) for line in paragraphs[-1].split("\n")]
    pairs = [(match[1], match[2]) for match in found if match is not None]
    return dict(pairs) if len(pairs) == len(found) else {}


def failed(what: str, err: str) -> CouncilError:
    """The error that a failed git call becomes: a full disk is the store's, anything else the repository's."""
    said = err.strip() or "(git said nothing)"
    if any(text in err for text in _FULL):
        return StoreError(f"The disk is full: {what} failed: {said}", hint="Free some disk space, then resume.")
    return RepositoryError(f"{what} failed: {said}")
