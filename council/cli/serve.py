"""`council serve`: all sessions as web pages."""

from __future__ import annotations

import click

from council.cli.common import root


@click.command("serve")
@click.option("--port", type=click.IntRange(0, 65535), default=8017, show_default=True, help="0 takes any free port.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Whom to listen for.")
@click.pass_context
def command(ctx: click.Context, port: int, host: str) -> None:
    """Show all sessions as web pages on this machine.

    Read-only, live while a session runs; every page also as JSON (add .json to its address), and every table with SQL.
    Nothing is fetched from elsewhere. Ctrl-C ends it.

    \b
    Example:
      council serve
      council serve --port 0
    """
    from council.web.guard import LOCAL
    from council.web.server import serve

    home = root(ctx) / ".council"
    if host not in LOCAL:
        for line in (
            "*" * 78,
            f"WARNING: listening on {host}, so others on your network can read everything:",
            "prompts, replies, code and logs. There is no password and no encryption.",
            "*" * 78,
        ):
            click.secho(line, fg="red", bold=True, err=True)
    serve(home, host, port, lambda address: click.echo(f"{address}  (Ctrl-C ends it)"))
