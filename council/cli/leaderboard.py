"""`council leaderboard`: the members by what they did."""

from __future__ import annotations

import click

from council.cli.common import as_json, reading, session_option, show, show_json


@click.command("leaderboard")
@session_option
@click.option(
    "--by", type=click.Choice(["proposer", "judge", "cost"]), default="proposer", show_default=True, help="Which table."
)
@as_json
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, safe to open in a spreadsheet.")
@click.pass_context
def command(ctx: click.Context, session: str | None, by: str, as_json: bool, as_csv: bool) -> None:
    """Show the members by what they proposed and forecast, with 90 % intervals.

    Over all sessions measured under the same conditions as the last one, or over one --session. Skill is σ gained per
    experiment against the council's mean, from a regression over all proposals, run or not; one night rarely separates
    members, so ranks are ranges. --by judge shows what forecasts are worth, calibration, and what bends the votes.
    docs/mechanism.md has the formulas. In --json, `judges` has the sum of weights with the prior that also picks and
    with a sceptic's; `helping` is whether the sceptic's interval lies above 0. --by judge adds the meters.

    \b
    Example:
      council leaderboard --by judge
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    from council.ui import leaderboard as face
    from council.views import leaderboard

    with reading(ctx) as store:
        board = leaderboard.read(store, session)
        bent = None
        if by == "judge" and not as_csv:
            from council.views import meters

            ids = [row["id"] for row in store.query("SELECT id, name FROM sessions") if row["name"] in board.pooled]
            bent = meters.read(store, ids)
        if as_json:
            show_json({**board.as_json(), **({"meters": bent.as_json()} if bent else {})})
        elif as_csv:
            click.echo(face.as_csv(board, by), nl=False)
        else:
            show(face.lines(board, by, bent))
