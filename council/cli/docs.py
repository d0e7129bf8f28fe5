"""docs/cli.md from the help texts: `python -m council.cli.docs` writes it, a test says when it is out of date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

FILE = Path("docs") / "cli.md"

_WIDE: dict[str, Any] = {"terminal_width": 100, "max_content_width": 100}

INTRODUCTION = """# Command line

Generated from the help texts by `python -m council.cli.docs`; do not edit by hand.

Data goes to stdout, progress and errors to stderr. Every listing takes `--json`. `COUNCIL_TRACEBACK=1` shows the
traceback behind an error that is the council's own. `NO_COLOR=1` turns colour off.
"""


def page() -> str:
    """The text of docs/cli.md."""
    from council.cli import COMMANDS, cli

    top = click.Context(cli, info_name="council", **_WIDE, **cli.context_settings)
    parts = [INTRODUCTION, _section("council", cli.get_help(top))]
    for name in COMMANDS:
        command = cli.get_command(top, name)
        assert command is not None
        context = click.Context(command, parent=top, info_name=name, **_WIDE)
        parts.append(_section(f"council {name}", command.get_help(context)))
    return "\n".join(parts)


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n```\n{text.rstrip()}\n```\n"


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
    click.echo(f"wrote {FILE}")
