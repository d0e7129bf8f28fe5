"""`council show`: one round."""

from __future__ import annotations

import sys

import click

from council.cli.common import as_json, reading, session_option, show, show_json


@click.command("show")
@click.argument("round", metavar="ROUND")
@session_option
@click.option("--diff", is_flag=True, help="Print the edit that ran, as a diff.")
@click.option("--prompts", is_flag=True, help="Print every call: what was asked and what came back.")
@click.option(
    "--raw", metavar="MEMBER", help="Print a member's calls as JSON: request, text of the reply, the rest of it."
)
@click.option("--log", is_flag=True, help="Print the end of each experiment's log.")
@as_json
@click.pass_context
def command(
    ctx: click.Context,
    round: str,
    session: str | None,
    diff: bool,
    prompts: bool,
    raw: str | None,
    log: bool,
    as_json: bool,
) -> None:
    """Show one round: proposals, ballots, experiments, verdict.

    ROUND is a number, `last`, or `best`: the round whose edit is the booked best. Round 0 holds the baseline runs. With
    --json, --prompts, --raw and --log print theirs as JSON.

    \b
    Example:
      council show 1
      council show best --diff
      council show 3 --prompts
    """
    from council.ui import calls as faces
    from council.ui import round as face
    from council.ui.text import colourful
    from council.views import calls
    from council.views import round as view

    if sum((diff, prompts, raw is not None, log)) > 1:
        raise click.UsageError("--diff, --prompts, --raw and --log exclude each other")
    colour = colourful(sys.stdout)
    with reading(ctx) as store:
        number = view.number(store, round, session)
        if log:
            logs = calls.logs(store, number, session)
            show_json([vars(x) for x in logs]) if as_json else show(faces.logs(logs, colour))
            return
        if prompts or raw is not None:
            made = calls.read(store, number, session, raw)
            told = faces.prompts if prompts else faces.raw
            show_json([call.as_json() for call in made]) if as_json else show(told(made, colour))
            return
        found = view.read(store, number, session)
        if as_json:
            show_json(found.as_json())
        else:
            show(face.diff(found, colour) if diff else face.lines(found, colour))
