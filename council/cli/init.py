"""`council init`: a new lab in a folder of its own, ready to run.

Why git is started here and not through `council/repo.py`: that door opens repositories that exist. No hook, signature
or identity of the user is needed. How to extend: a new file of a lab is a template in `council/templates/` and a line
in FILES.
"""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
from importlib.util import find_spec
from pathlib import Path

import click

from council.cli.common import here
from council.errors import UsageError

FILES = ("program.md", "council.yaml", "lab/train.py", ".gitignore")
"""What a lab holds, in the order in which it is told."""

IGNORED = ".council/\n.lab/\n__pycache__/\n"


@click.command("init")
@click.argument("directory", metavar="DIR")
@click.pass_context
def command(ctx: click.Context, directory: str) -> None:
    """Make a new lab in a folder of its own.

    Writes program.md (your research instructions), council.yaml (who takes part) and lab/train.py (the file that
    members edit), and commits them to a new git repository. Never overwrites a file.

    \b
    Example:
      council init my-lab && cd my-lab
      council run --offline --rounds 6
    """
    folder = here(ctx) / directory
    _refuse(folder, directory)
    _write(folder, {name: text(name) for name in FILES})
    is_new = not (folder / ".git").exists()
    if is_new:
        _commit(folder)
    lines = [f"Made a lab in {folder}: {', '.join(FILES)}."]
    if not is_new:
        lines.append(f"It is in your repository: commit it first (git add {' '.join(FILES)} && git commit -m Lab).")
    lines.append(f"Next: cd {shlex.quote(directory)} && council doctor && council run --offline --rounds 6")
    click.echo("\n".join(lines))


def _refuse(folder: Path, directory: str) -> None:
    """Stop before anything is written when something stands in the way."""
    if folder.exists() and not folder.is_dir():
        raise click.UsageError(f"{directory} is a file; name a folder that is new or empty.")
    there = [name for name in FILES if os.path.lexists(folder / name)]
    if there:
        raise click.UsageError(
            f"{directory} already has {', '.join(there)}; nothing was written. Name a folder that is new or empty."
        )


def _write(folder: Path, texts: dict[str, str]) -> None:
    """Make the files. Raises UsageError where the folder takes none, OSError where the disk is full."""
    try:
        for name, content in texts.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8", newline="") as out:
                out.write(content)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UsageError(
            f"no lab can be made in {folder}: {error.strerror or error}", hint="Name a folder that you may write to."
        ) from error


def text(name: str) -> str:
    """The text of a file of a new lab."""
    if name == ".gitignore":
        return IGNORED
    if name == "lab/train.py":
        return (_package("lab") / "train.py").read_text(encoding="utf-8")
    return (_package("council") / "templates" / name).read_text(encoding="utf-8")


def _package(name: str) -> Path:
    """The folder of an installed package, found without importing it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise click.ClickException(f"the package {name} is not installed; run `make setup`")
    return Path(spec.origin).parent


def _commit(folder: Path) -> None:
    """A repository with the files as its first commit."""
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _git(folder, "add", "--", *FILES)
    known = _call(folder, "var", "GIT_AUTHOR_IDENT").returncode == 0 and _call(folder, "config", "user.email").stdout
    identity = () if known else ("-c", "user.name=council", "-c", "user.email=council@localhost")
    _git(folder, *identity, "commit", "--quiet", "--no-verify", "--message=Start a lab")


def _git(folder: Path, *args: str) -> None:
    done = _call(folder, *args)
    if done.returncode:
        raise click.ClickException(f"the files are written, but `git {args[0]}` failed: {done.stderr.strip()[:400]}")


def _call(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX"))}
    settings = ("-c", "core.hooksPath=/dev/null", "-c", "commit.gpgsign=false", "-c", "core.autocrlf=false")
    try:
        return subprocess.run(
            ["git", *settings, *args],
            cwd=folder,
            env={**environment, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        raise click.ClickException(
            "the files are written, but git was not found: install it, then `git init`"
        ) from None
