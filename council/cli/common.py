"""What commands share: where the lab is, its database, and how data is printed.

The repository is found by looking for `.git` upward, without starting git: commands that only read must be fast.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from council.errors import RepositoryError, StoreBroken

if TYPE_CHECKING:
    from council.store import Store

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
session_option = click.option("--session", metavar="NAME", help="A session by name. [default: the last one]")


def here(ctx: click.Context) -> Path:
    """The folder the command works in."""
    folder = Path(ctx.obj or ".")
    if not folder.is_dir():
        raise click.BadParameter(f"there is no folder {folder}", param_hint="--directory")
    return folder.resolve()


def root(ctx: click.Context) -> Path:
    """The root of the repository that holds the folder."""
    folder = here(ctx)
    for found in (folder, *folder.parents):
        if (found / ".git").exists():
            return found
    raise RepositoryError(
        f"{folder} is not inside a git repository",
        hint="Go to your lab, or make one: council init my-lab",
    )


def database(top: Path) -> Path:
    """Where a repository keeps its sessions."""
    return top / ".council" / "council.db"


_MISFITS = (ArithmeticError, AttributeError, LookupError, RecursionError, StopIteration, TypeError, ValueError)
"""What code stumbles over when rows do not hold what the council writes into them."""


@contextmanager
def reading(ctx: click.Context) -> Iterator[Store]:
    """The database, read-only, for the length of a block that also shows what it read.

    Where the rows contradict each other the error says so; but an audit that stumbles is at fault itself.
    """
    path = database(root(ctx))
    from council.store import Store
    from council.views.words import clean

    store = Store(path, read_only=True)
    try:
        yield store
    except _MISFITS as error:
        if ctx.info_name == "audit":
            raise
        raise StoreBroken(
            f"what {path} holds does not fit together ({type(error).__name__}: {clean(error, 200)})",
            kept="Nothing was changed.",
            hint="See `council audit`. If it finds nothing wrong, report this with the output of COUNCIL_TRACEBACK=1.",
        ) from error
    finally:
        store.close()


def show(lines: Iterable[str]) -> None:
    """Print lines to stdout."""
    click.echo("\n".join(lines), color=True)


def show_json(value: object) -> None:
    """Print a value as indented JSON, ASCII only."""
    from council.ui.jsonlines import line

    click.echo(line(value, indent=2))
