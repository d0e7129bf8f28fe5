"""Git read in bulk: a handful of processes per session, however many experiments it has.

Commits, one file at many commits, and what each commit changed, all through `git cat-file --batch` and
`git diff-tree --stdin`. Names come from the database, so each is checked before git sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from council.repo import Repo
from council.repo_text import parse_trailers

_HEX = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Commit:
    """One commit: its tree, its parents, its trailers."""

    tree: str
    parents: tuple[str, ...]
    trailers: dict[str, str]


@dataclass
class Refs:
    """The council's refs before and after the database was read: a session may be running meanwhile."""

    before: dict[str, str]
    after: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, repo: Repo) -> Refs:
        """The refs now."""
        return cls(_refs(repo))

    def again(self, repo: Repo) -> None:
        """Read them again, once the database's snapshot is taken."""
        self.after = _refs(repo)

    def points(self, name: str, commit: str | None) -> bool:
        """Whether a ref points to the commit, in one of the two readings; None: whether it is missing."""
        return commit in (self.before.get(name), self.after.get(name))


def _refs(repo: Repo) -> dict[str, str]:
    return {**repo.refs("refs/council/"), **repo.refs("refs/heads/council/")}


def is_name(commit: object) -> bool:
    """Whether a value is the full name of a commit."""
    return isinstance(commit, str) and _HEX.fullmatch(commit) is not None


def commits(repo: Repo, names: Iterable[object]) -> dict[str, Commit]:
    """The commits that exist, by name."""
    found = {}
    for name, (kind, data) in _objects(repo, [n for n in names if is_name(n)]).items():  # type: ignore[misc]
        if kind == "commit":
            head, _, text = data.partition(b"\n\n")
            pairs = [line.split(" ", 1) for line in head.decode("utf-8", "replace").split("\n") if " " in line]
            tree = next((value for key, value in pairs if key == "tree"), "")
            parents = tuple(value for key, value in pairs if key == "parent")
            found[name] = Commit(tree, parents, parse_trailers(text.decode("utf-8", "replace")))
    return found


def files(repo: Repo, names: Iterable[object], path: str) -> dict[str, bytes]:
    """The bytes of a file at each commit that holds it."""
    asked = [f"{n}:{path}" for n in dict.fromkeys(names) if is_name(n)]
    return {n.partition(":")[0]: data for n, (kind, data) in _objects(repo, asked).items() if kind == "blob"}


def changes(repo: Repo, names: Iterable[object]) -> dict[str, list[str]]:
    """Per commit with one parent, what it changed: a path, or `path (mode)` where more than its text changed."""
    asked = "".join(f"{n}\n" for n in dict.fromkeys(names) if is_name(n))
    args = ("diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames")
    out = repo.git(*args, stdin=asked.encode(), what="Comparing commits").decode("utf-8", "replace")
    found: dict[str, list[str]] = {}
    parts = iter(out.split("\0"))
    current = ""
    for part in parts:
        if part.startswith(":"):
            old, new, *_ = part[1:].split(" ")
            path = next(parts, "")
            found.setdefault(current, []).append(path if old == new else f"{path} ({old} to {new})")
        elif part:
            current = part
    return found


def _objects(repo: Repo, names: list[str]) -> dict[str, tuple[str, bytes]]:
    """(type, content) of every object that exists, asked for by the given names."""
    names = list(dict.fromkeys(names))
    if not names:
        return {}
    asked = "".join(f"{name}\n" for name in names).encode()
    out = repo.git("cat-file", "--batch", stdin=asked, what="Reading objects")
    found, at = {}, 0
    for name in names:
        end = out.index(b"\n", at)
        header = out[at:end].decode("utf-8", "replace").split(" ")
        at = end + 1
        if header[-1] in ("missing", "ambiguous"):
            continue
        size = int(header[2])
        found[name] = (header[1], out[at : at + size])
        at += size + 1
    return found
