"""`council stop`: SIGINT to the process that holds the lock."""

from __future__ import annotations

import os
import signal

import click

from council.cli.common import root


@click.command("stop")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Ask the running session to end after its experiment.

    It does what Ctrl-C does in the terminal of `council run`; a second `council stop` ends it at once. What is done is
    kept, and `council run --resume` goes on.

    \b
    Example:
      council stop
    """
    from council.lock import holder

    pid = holder(root(ctx) / ".council" / "lock")
    if pid is None:
        click.echo("no session is running here")
        return
    try:
        os.kill(pid, signal.SIGINT)
    except ProcessLookupError:
        click.echo("no session is running here")
    except PermissionError:
        raise click.ClickException(f"process {pid} belongs to another user; ask that user to stop it") from None
    else:
        click.echo(f"asked process {pid} to stop after its experiment; once more ends it at once")
