"""`council report`: a session as one file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from council.cli.common import here, reading, session_option

if TYPE_CHECKING:
    from council.views.night import Night

FORMATS = ("html", "md", "json", "svg", "png")


@click.command("report")
@session_option
@click.option("--output", "-o", metavar="FILE", help="Write here; `-` is stdout. [default: council-SESSION.FORMAT]")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="html, md for a pull request, json, or the staircase as svg or png. [default: by FILE's name, else html]",
)
@click.pass_context
def command(ctx: click.Context, session: str | None, output: str | None, form: str | None) -> None:
    """Write a session as one file: HTML, Markdown or a chart.

    What happened, what was kept, what failed and why, what it cost, and how to repeat it.

    The HTML needs no network and no script, prints well, and is readable in the light and in the dark. Safe while a
    session runs: it only reads.

    \b
    Example:
      council report
      council report --format md -o - | gh pr comment --body-file -
    """
    from council.errors import StoreError, UsageError
    from council.ui import report
    from council.views import night

    form = form or _by_name(output)
    if output not in (None, "-") and not (parent := (here(ctx) / output).parent).is_dir():
        raise UsageError(f"there is no folder {parent}", hint="Make it first, or name another file: --output FILE")
    with reading(ctx) as store:
        found = night.read(store, session)
        content = _content(found, form)
    if output == "-":
        sys.stdout.buffer.write(content)
        return
    stem = report.file_name(found.status.session).removesuffix(".html")
    path = here(ctx) / (output or f"council-{stem}.{form}")
    try:
        report.save(path, content)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror}", hint="Name another file: --output FILE"
        ) from error
    click.echo(str(path))


def _by_name(output: str | None) -> str:
    """The format that a file's name asks for."""
    ending = Path(output).suffix.lstrip(".").lower() if output else ""
    return {"markdown": "md", "htm": "html"}.get(ending, ending if ending in FORMATS else "html")


def _content(found: Night, form: str) -> bytes:
    """The session in a format."""
    from council.ui import charts, markdown, report, svg
    from council.ui.jsonlines import line

    if form == "png":
        return charts.staircase_png(found.staircase)
    makers = {
        "html": lambda: report.html(found),
        "md": lambda: markdown.report(found),
        "json": lambda: line(found.as_json(), indent=2) + "\n",
        "svg": lambda: svg.alone(charts.staircase(found.staircase)),
    }
    return makers[form]().encode("utf-8", "replace")
