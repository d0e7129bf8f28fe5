"""The command line: `council COMMAND`. Each command is a module of this package, imported when it is used.

How to extend: write `council/cli/NAME.py` with a click command called `command`, add its line to COMMANDS, and run
`python -m council.cli.docs` to bring docs/cli.md up to date.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import click

from council.cli.group import Commands

__all__ = ["cli", "main"]

COMMANDS = {
    "init": "Make a new lab in a folder of its own.",
    "doctor": "Say what is missing on this machine and how to mend it.",
    "run": "Run a session: propose, vote, measure, decide, round after round.",
    "stop": "Ask the running session to end after its experiment.",
    "status": "Show how the running or last session stands.",
    "show": "Show one round: proposals, ballots, experiments, verdict.",
    "leaderboard": "Show the members by what they proposed and forecast, with 90 % intervals.",
    "confirm": "Measure baseline and best side by side on data nobody has seen.",
    "compare": "Compare two members round by round, or two sessions by name.",
    "replay": "Count the past under another rule.",
    "simulate": "Play the mechanism through nights in a world whose truth is known.",
    "import": "Make a results.tsv of autoresearch a read-only session.",
    "exam": "Let members forecast past experiments, blind.",
    "search": "Find words in everything that members wrote.",
    "export": "Write a session as data to stdout.",
    "serve": "Show all sessions as web pages on this machine.",
    "report": "Write a session as one file: HTML, Markdown or a chart.",
    "audit": "Recompute everything and list what does not add up.",
}
"""The commands in the order of a first evening, with what their help starts with."""


@click.command(
    cls=Commands,
    commands_table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "COUNCIL"},
    epilog="Every option can be set in the environment: COUNCIL_RUN_ROUNDS=3 is `council run --rounds 3`. "
    "Exit codes: 0 ok, 1 failed or paused, 2 usage or configuration, 130 interrupted, 143 terminated.",
)
@click.option("-C", "--directory", default=".", metavar="DIR", help="Work in this folder instead of the present one.")
@click.version_option(None, "-V", "--version", package_name="council", message="council %(version)s")
@click.pass_context
def cli(ctx: click.Context, directory: str) -> None:
    """Several members propose edits to lab/train.py, vote blind, and a measurement settles every vote.

    \b
    Example:
      council init my-lab && cd my-lab
      council run --offline --rounds 6
    """
    ctx.obj = directory


def main(args: Sequence[str] | None = None) -> NoReturn:
    """The entry point of the console script; `args` default to the command line's."""
    cli.main(args, prog_name="council")
    raise AssertionError("a command ends with an exit code")
