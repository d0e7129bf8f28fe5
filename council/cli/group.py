"""The group of commands: imports a command only when it is used, and turns every error into words and an exit code.

Why: `council --help` must cost next to nothing, and a newcomer must never see a traceback. Set COUNCIL_TRACEBACK=1 to
see one.
"""

from __future__ import annotations

import errno
import importlib
import keyword
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

MACHINE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Free some space and try again."),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "Look at its owner, permissions and how it is mounted."),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.ENOMEM), "Close other programs, or raise the limit (ulimit)."),
    errno.EIO: "The disk or the terminal behind it fails; nothing of the council can mend that.",
}
"""What to do about errors of the system that are no fault of the council."""
REPORT = "This is a fault of the council itself: report it to the project with the output of COUNCIL_TRACEBACK=1."


class Commands(click.Group):
    """A group that knows its commands by name and first line of help."""

    def __init__(self, *args: Any, commands_table: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = commands_table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in self.table:
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        return importlib.import_module(f"council.cli.{module}").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; an unknown one is answered with the nearest."""
        if args and args[0] not in self.table and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], self.table, 1)
            meant = f" Did you mean `council {near[0]}`?" if near else ""
            ctx.fail(f"there is no command {args[0][:60]!r}.{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.table.items()))

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run a command and exit with its code."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        extra.pop("standalone_mode", None)
        out = sys.stdout
        try:
            code = super().main(args, prog_name or "council", standalone_mode=False, **extra)
            sys.stdout.flush()
        except BaseException as error:
            # click replaces stdout when nobody reads it any more; that is no failure
            code = explain(error) if sys.stdout is out else 0
        sys.exit(code if isinstance(code, int) else 0)


def explain(error: BaseException) -> int:
    """Say on stderr what went wrong; returns the exit code."""
    from council.errors import CouncilError

    if os.environ.get("COUNCIL_TRACEBACK") and not isinstance(error, click.exceptions.Exit | SystemExit):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, BrokenPipeError):
        return _silence()
    if isinstance(error, click.Abort | KeyboardInterrupt):
        _say("interrupted")
        return 130
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, CouncilError):
        _say("\n".join([f"error: {error.message}", *(part for part in (error.kept, error.hint) if part)]))
        return error.exit_code
    if not isinstance(error, Exception):
        raise error
    if isinstance(error, OSError) and (told := _of_the_machine(error)):
        text, code = told
        _say(f"error: {text}")
        return code
    from council.views.words import clean

    _say(f"error: {type(error).__name__}: {clean(error, 400)}\n{REPORT}")
    return 1


def _of_the_machine(error: OSError) -> tuple[str, int] | None:
    """(what the machine refused and what to do, exit code), or None for an error that is ours."""
    if isinstance(error, FileNotFoundError):
        try:
            Path.cwd()
        except OSError:
            return "the folder you are in is gone\nGo to one that is there, or name it: council -C DIR", 2
        if str(error.strerror).startswith("No usable temporary directory"):
            return f"{error.strerror}\n{MACHINE[errno.ENOSPC]}", 1
    if error.errno not in MACHINE:
        return None
    what = f"{error.filename} cannot be used" if error.filename else "the output could not be written to its end"
    return f"{what}: {error.strerror}\n{MACHINE[error.errno]}", 1


def _say(text: str) -> None:
    from council.views.words import clean_lines

    try:
        click.echo("\n".join(clean_lines(text)), err=True)
    except OSError:
        pass


def _silence() -> int:
    """The reader of stdout went away: nothing more is written, and that is no failure."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass
    return 0
