"""`council search`: full text over everything members wrote."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from council.cli.common import as_json, reading, show, show_json

if TYPE_CHECKING:
    from council.views.search import Hit


@click.command("search")
@click.argument("text", nargs=-1, required=True)
@click.option("--session", metavar="NAME", help="Only the session of that name. [default: all]")
@click.option("--limit", type=click.IntRange(1, 1000), default=30, show_default=True, help="Most places to show.")
@as_json
@click.pass_context
def command(ctx: click.Context, text: tuple[str, ...], session: str | None, limit: int, as_json: bool) -> None:
    """Find words in everything that members wrote.

    Replies, proposals, critiques, answers and the reasons of checks and verdicts, the newest first. Every word must
    occur; "quotes" hold a phrase together. Exit code 1 when nothing is found.

    \b
    Example:
      council search warmup
      council search '"learning rate"' head --json
    """
    from council.views import search

    with reading(ctx) as store:
        found = search.read(store, " ".join(text), session, limit)
    if as_json:
        show_json([hit.as_json() for hit in found.hits])
    else:
        show(_lines(found.hits) if found.hits else ["nothing was found"])
    if more := found.total - len(found.hits):
        click.echo(f"{more} older places are not shown; --limit {min(1000, found.total)} shows more", err=True)
    ctx.exit(0 if found.hits else 1)


def _lines(found: tuple[Hit, ...]) -> list[str]:
    from council.ui.text import colourful, fit, paint, width

    colour, told = colourful(sys.stdout), []
    for hit in found:
        who = f" {hit.member}" if hit.member else ""
        call = f", call {hit.call}" if hit.call else ""
        head = fit(f"{hit.session} round {hit.round}{who}: {hit.source}, {hit.where}{call}", width())
        room, body = 2 * width() - 4, ""
        for text, hit_ in hit.snippet:
            part = fit(text, room) if room > 0 else ""
            room -= len(part)
            body += (paint(part, "bold", True) if colour else f"«{part}»") if hit_ else part
        told += [paint(head, "place", colour), f"  {body}"]
    return told
