"""`council show`: one round."""

from __future__ import annotations

import sys

import click

from council.cli.common import as_json, reading, session_option, show, show_json


@click.command("show")
@click.argument("round", metavar="ROUND")
@session_option
@click.option("--diff", is_flag=True, help="Print the edit that ran, as a diff.")
@as_json
@click.pass_context
def command(ctx: click.Context, round: str, session: str | None, diff: bool, as_json: bool) -> None:
    """Show one round: proposals, ballots, experiments, verdict.

    ROUND is a number, `last`, or `best`: the round whose edit is the booked best. Round 0 holds the baseline runs.

    \b
    Example:
      council show 1
      council show best --diff
    """
    from council.ui import round as face
    from council.ui.text import colourful
    from council.views import round as view

    with reading(ctx) as store:
        found = view.read(store, view.number(store, round, session), session)
    colour = colourful(sys.stdout)
    if as_json:
        show_json(found.as_json())
    elif diff:
        show(face.diff(found, colour))
    else:
        show(face.lines(found, colour))
