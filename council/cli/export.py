"""`council export`: a session as data."""

from __future__ import annotations

import csv
import sys

import click

from council.cli.common import reading, session_option


@click.command("export")
@session_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="Every row as JSON lines, or a line per experiment as CSV.",
)
@click.pass_context
def command(ctx: click.Context, session: str | None, form: str) -> None:
    """Write a session as data to stdout.

    JSON lines hold every row the session recorded, with its table: prompts, replies, ballots, measurements, all of it.
    CSV is a line per experiment; no cell can start a formula in a spreadsheet.

    \b
    Example:
      council export > night.jsonl
      council export --format csv > night.csv
    """
    from council.ui.jsonlines import line
    from council.ui.leaderboard import cell
    from council.views import export

    with reading(ctx) as store:
        if form == "jsonl":
            for row in export.rows(store, session):
                click.echo(line(row))
            return
        writer = csv.writer(sys.stdout, lineterminator="\n")
        for number, row in enumerate(export.experiments(store, session)):
            if number == 0:
                writer.writerow(row)
            writer.writerow([cell(value) for value in row.values()])
