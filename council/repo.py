"""The door to git: commits, refs, diffs and worktrees of a session, without ever touching what is the user's.

Why plumbing: a commit is made from objects and a temporary index, so hooks, signing, identity, filters and the user's
checkout, index, HEAD and branch have no part in it. GitPython starts the processes and is imported only when the first
one is needed. How to extend: add a method here that calls `git`; text goes to `repo_text`, worktrees to
`repo_worktree`, the check before a session to `repo_start`.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any

from council import repo_start, repo_worktree
from council.errors import EditError, RepositoryError, StoreError
from council.repo_text import failed, message, parse_trailers, valid_ref, valid_revision, valid_session_name

__all__ = ["Repo", "valid_session_name"]

_SETTINGS = (
    "core.hooksPath=/dev/null",
    "commit.gpgsign=false",
    "core.fsmonitor=false",
    "gc.auto=0",
    "core.fsync=committed",
    "core.splitIndex=false",
    "core.sparseCheckout=false",
    "core.logAllRefUpdates=false",
    "core.filesRefLockTimeout=5000",
    "core.quotePath=true",
    "diff.suppressBlankEmpty=false",
    "i18n.commitEncoding=UTF-8",
    "i18n.logOutputEncoding=UTF-8",
    "submodule.recurse=false",
)
_DIFF = (
    *("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--text", "--full-index", "--unified=3"),
    *("--inter-hunk-context=0", "--diff-algorithm=myers", "--indent-heuristic", "--src-prefix=a/", "--dst-prefix=b/"),
)
_ALONE = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": ""}
"""The repository as it lies here: an object that is missing is not fetched, by whatever command its config names."""
_KEPT = ("GIT_CONFIG_", "GIT_EXEC_PATH", "GIT_PYTHON_", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM")


def _run(args: list[str], *, stdin: bytes | None, env: Mapping[str, str]) -> tuple[int, bytes, str]:
    """Start git through GitPython: our environment, no terminal, a process group that Ctrl-C does not reach."""
    try:
        import git
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError):
            raise RepositoryError("The package GitPython is not installed.", hint="Run `make setup`.") from error
        raise _missing() from error
    ours = {**_ALONE, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", **env}
    theirs = [name for name in os.environ if name.startswith("GIT_") and not name.startswith(_KEPT)]
    unset = [part for name in theirs if name not in ours for part in ("-u", name)]
    command = [*(["env", *unset] if unset else []), git.Git.GIT_PYTHON_GIT_EXECUTABLE or "git"]
    command += [part for setting in _SETTINGS for part in ("-c", setting)] + args
    options: dict[str, Any] = {"start_new_session": True, "restore_signals": False}
    try:
        with _stream(stdin) as stream:
            status, out, err = git.Git().execute(
                command,
                istream=stream,
                env=ours,
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                strip_newline_in_stdout=False,
                **options,
            )
    except git.GitCommandNotFound as error:
        raise _missing() from error
    except OSError as error:
        raise StoreError(f"git could not be run: {error}", hint="Free some disk space, then resume.") from error
    return int(status), out, str(err)


def _missing() -> RepositoryError:
    return RepositoryError(
        "git was not found on this machine.",
        hint="Install it (`apt install git`, `brew install git` or https://git-scm.com/downloads) and try again.",
    )


@contextmanager
def _stream(data: bytes | None) -> Iterator[IO[bytes] | None]:
    if data is None:
        yield None
        return
    with tempfile.TemporaryFile() as stream:
        stream.write(data)
        stream.seek(0)
        yield stream


class Repo:
    """A git repository as a session uses it: commits are hex names, refs live in two namespaces of its own."""

    def __init__(self, root: Path, git_dir: Path, common_dir: Path) -> None:
        self.root = root
        self.git_dir = git_dir
        self.common_dir = common_dir

    @classmethod
    def open(cls, folder: Path) -> Repo:
        """The repository that holds `folder`; anything else says what to do."""
        folder = Path(folder).resolve()
        if not folder.is_dir():
            raise RepositoryError(f"There is no folder {folder}.")
        wanted = ["--is-bare-repository", "--absolute-git-dir", "--git-common-dir"]
        status, out, err = _run(["-C", str(folder), "rev-parse", *wanted], stdin=None, env={})
        if status != 0:
            raise repo_start.not_a_repository(folder, err)
        bare, git_dir, common = out.decode("utf-8", "surrogateescape").split("\n")[:3]
        status, top, err = _run(["-C", str(folder), "rev-parse", "--show-toplevel"], stdin=None, env={})
        if bare == "true" or status != 0:
            raise repo_start.no_checkout(folder)
        root = Path(top.decode("utf-8", "surrogateescape").removesuffix("\n"))
        return cls(root, Path(git_dir), (folder / common).resolve())

    def home(self) -> Path:
        """`.council` in the repository: made when missing, and kept out of the user's `git status` from inside."""
        home = self.root / ".council"
        try:
            home.mkdir(exist_ok=True)
            if not (home / ".gitignore").exists():
                (home / ".gitignore").write_text("*\n")
        except OSError as error:
            hint = "Look at what it is, move it away, and run again." if home.is_file() else "Look at its permissions."
            raise StoreError(f"{home} cannot be written: {error.strerror}", hint=hint) from error
        return home

    def start_commit(self, *, from_worktree: bool, program: str = "program.md") -> str:
        """The commit a session starts from: HEAD, or with `from_worktree` a snapshot of train.py and the program."""
        return repo_start.start_commit(self, from_worktree=from_worktree, program=program)

    def check_free(self) -> None:
        """Refuse a ref in whose place the refs of a session must go."""
        if (
            "refs/heads/council" in self.refs("refs/heads/council")
            or (self.common_dir / "refs/heads/council").is_file()
        ):
            raise RepositoryError(
                "A branch named `council` stands where the branches of sessions, council/<session>, must go.",
                hint="Rename it: git branch -m council council-old",
            )
        if "refs/council" in self.refs("refs/council") or (self.common_dir / "refs/council").is_file():
            raise RepositoryError(
                "A ref named refs/council stands where the refs of sessions, refs/council/<session>, must go.",
                hint="Remove it: git update-ref -d refs/council",
            )

    def read(self, commit: str, path: str) -> str:
        """The text of a file at a commit, byte for byte."""
        data = self.git("cat-file", "blob", f"{self._revision(commit)}:{path}", what=f"Reading {path} at {commit}")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise RepositoryError(f"{path} at {commit} is not UTF-8: {error}") from error

    def commit_file(
        self,
        parent: str,
        path: str,
        text: str,
        *,
        subject: str,
        trailers: Mapping[str, str],
        at: int | None = None,
    ) -> str:
        """A child of `parent` in which `path` holds `text`; the same text makes an empty commit. `at` is its time."""
        try:
            data = text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise EditError(f"{path} cannot be stored as UTF-8: {error}") from error
        what = f"Committing {path}"
        blob = self.git("hash-object", "-w", "--stdin", stdin=data, what=what).decode().strip()
        return self.commit_blobs(parent, {path: blob}, subject=subject, trailers=trailers, at=at)

    def commit_blobs(
        self, parent: str, blobs: Mapping[str, str], *, subject: str, trailers: Mapping[str, str], at: int | None = None
    ) -> str:
        """A child of `parent` in which each path is the given blob, built in a temporary index."""
        parent = self._revision(parent)
        with repo_worktree.temporary(self.home()) as folder:
            index = {"GIT_INDEX_FILE": str(folder / "index")}
            self.git("read-tree", parent, env=index, what=f"Reading the tree of {parent}")
            for path, blob in blobs.items():
                row = self.git("ls-tree", "-z", parent, "--", path, what=f"Looking for {path}").decode(errors="replace")
                mode = row.split(" ")[0] or "100644"
                entry = f"{mode},{blob},{path}"
                self.git("update-index", "--add", "--cacheinfo", entry, env=index, what=f"Committing {path}")
            tree = self.git("write-tree", env=index, what="Writing a tree").decode().strip()
        return self._commit(parent, tree, subject, trailers, at)

    def empty_commit(self, parent: str, *, subject: str, trailers: Mapping[str, str], at: int | None = None) -> str:
        """A child of `parent` with the same files."""
        return self._commit(parent, f"{self._revision(parent)}^{{tree}}", subject, trailers, at)

    def trailers(self, commit: str) -> dict[str, str]:
        """The trailers in the last paragraph of a commit's message."""
        what = f"Reading the message of {commit}"
        data = self.git("cat-file", "commit", self._revision(commit), what=what)
        return parse_trailers(data.partition(b"\n\n")[2].decode("utf-8", "replace"))

    def set_ref(self, name: str, commit: str) -> None:
        """Create or move one of the council's refs, atomically."""
        if not valid_ref(name):
            raise RepositoryError(f"{name!r} is not a ref that the council may write.")
        self.git("update-ref", "--no-deref", name, self._revision(commit), what=f"Setting {name}")

    def get_ref(self, name: str) -> str | None:
        """The commit a ref points to, or None."""
        return self.refs(name).get(name)

    def refs(self, prefix: str) -> dict[str, str]:
        """Every ref whose name starts with `prefix`, with what it points to."""
        if not valid_revision(prefix.rstrip("/")):
            raise RepositoryError(f"{prefix!r} is not the start of a ref.")
        folder = prefix.rpartition("/")[0]
        form = "--format=%(refname) %(objectname)"
        out = self.git("for-each-ref", form, folder, what=f"Listing {prefix}").decode("utf-8", "replace")
        pairs = (line.rpartition(" ") for line in out.splitlines())
        return {name: commit for name, _, commit in pairs if name.startswith(prefix)}

    def diff(self, parent: str, commit: str) -> str:
        """The unified diff between two commits: the same text under every configuration."""
        ends = (self._revision(parent), self._revision(commit))
        out = self.git("diff-tree", "-r", "-p", *_DIFF, *ends, "--", what=f"Comparing {parent} and {commit}")
        return out.decode("utf-8", "replace")

    def changed_paths(self, parent: str, commit: str) -> list[str]:
        """The paths that differ between two commits."""
        ends = (self._revision(parent), self._revision(commit))
        what = f"Comparing {parent} and {commit}"
        out = self.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", *ends, "--", what=what)
        return [path for path in out.decode("utf-8", "replace").split("\0") if path]

    def exists(self, commit: str) -> bool:
        """Whether the repository holds this commit."""
        if not valid_revision(commit):
            return False
        return self.call(["cat-file", "-e", f"{commit}^{{commit}}"])[0] == 0

    def worktree(self, commit: str, name: str) -> AbstractContextManager[Path]:
        """A checkout of `commit` of its own in `.council/worktrees/<name>`, removed at the end."""
        return repo_worktree.worktree(self, self._revision(commit), name)

    def sweep(self) -> list[str]:
        """Remove what killed runs left: worktrees (their names are returned), temporary indexes, locks of our refs."""
        return repo_worktree.sweep(self)

    def _commit(self, parent: str, tree: str, subject: str, trailers: Mapping[str, str], at: int | None) -> str:
        when = f"@{int(time.time()) if at is None else at} +0000"
        who = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in _WHO.items()}
        env = {**who, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        args = ("commit-tree", "--no-gpg-sign", tree, "-p", self._revision(parent))
        text = message(subject, trailers).encode()
        return self.git(*args, stdin=text, env=env, what="Writing a commit").decode().strip()

    def _revision(self, text: str) -> str:
        if not valid_revision(text):
            raise RepositoryError(f"{text!r} is not the name of a commit.")
        return text

    def git(self, *args: str, what: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> bytes:
        """What git prints, or the error that says `what` failed; see `call`."""
        status, out, err = self.call(list(args), stdin=stdin, env=env)
        if status != 0:
            raise failed(what, err)
        return out

    def call(
        self, args: list[str], *, stdin: bytes | None = None, env: Mapping[str, str] | None = None, user: bool = False
    ) -> tuple[int, bytes, str]:
        """Run git on the objects alone (no index, no attributes of the checkout), or as `user` inside the checkout."""
        if user:
            return _run(["-C", str(self.root), *args], stdin=stdin, env=env or {})
        bare = ["-C", str(self.git_dir), f"--git-dir={self.git_dir}", "-c", "core.attributesFile=/dev/null", *args]
        return _run(bare, stdin=stdin, env={"GIT_INDEX_FILE": str(self.git_dir / "no-index"), **(env or {})})


_WHO = {"NAME": "council", "EMAIL": "council@localhost"}
