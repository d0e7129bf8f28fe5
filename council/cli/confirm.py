"""`council confirm`: fresh pairs of runs of baseline and best, the only numbers that may be called a gain."""

from __future__ import annotations

import click

from council.cli.common import database, root, session_option


def _pairs(ctx: click.Context, param: click.Parameter, value: str) -> str:
    from council.judge.closing import plan

    try:
        if value != "auto" and plan(value, 0).blocks:
            return value
    except ValueError:
        pass
    raise click.BadParameter(f"{value!r} is neither a number of pairs above 0 nor blocks such as 3+3")


@click.command("confirm")
@click.option(
    "--pairs", default="3", show_default=True, metavar="N|3+3", callback=_pairs, help="How many pairs to run."
)
@session_option
@click.option("--display", type=click.Choice(["live", "plain", "json", "none"]), help="As in `council run`.")
@click.option(
    "--i-accept-unsandboxed", "unsandboxed", is_flag=True, help="Let edited code run with your rights. Read docs first."
)
@click.pass_context
def command(ctx: click.Context, pairs: str, session: str | None, display: str | None, unsandboxed: bool) -> None:
    """Measure baseline and best side by side on data nobody has seen.

    Each pair runs both once, on fresh seeds. A gain is confirmed if its one-sided 90 % lower bound is above 0. With
    3+3 a second block runs only if the first shows an unconfirmed gain, at 95 % for both looks; decide beforehand.
    A killed confirmation goes on at the first missing run. Asking again is a further look at the same two codes: it
    counts all their pairs so far, and each look takes half the chance of a false claim of the one before.

    \b
    Example:
      council confirm --pairs 3+3
    """
    from council import session as sessions
    from council.cli import holding
    from council.store import Store
    from council.ui import default

    top = root(ctx)
    Store(database(top), read_only=True).close()  # says so where no session has run
    request = sessions.Request(
        root=top, config=top / "council.yaml", resume=session or "", accept_unsandboxed=unsandboxed, confirm=True
    )
    shown = display or default()
    ending, report = holding.held(top, shown, lambda emit: sessions.confirm(request, pairs, emit))
    click.echo(f"{ending.session}: {ending.reason}")
    if shown in ("live", "plain"):
        holding.told(report)
    ctx.exit(ending.exit_code)
