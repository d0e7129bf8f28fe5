"""`council status`: how the running or last session stands."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from council.cli.common import as_json, database, reading, root, session_option, show, show_json


@click.command("status")
@session_option
@click.option("--watch", is_flag=True, help="Go on showing it until the session ends; Ctrl-C leaves it running.")
@as_json
@click.pass_context
def command(ctx: click.Context, session: str | None, watch: bool, as_json: bool) -> None:
    """Show how the running or last session stands.

    The booked best and its noise, the baseline, what was kept, and the experiment that is running. Read-only: safe
    from a second terminal while a session runs.

    \b
    Example:
      council status
      council status --watch
    """
    from council import live
    from council.lock import holder
    from council.ui import status as face
    from council.views import status

    if watch and as_json:
        raise click.UsageError("--watch is for eyes: `council run --display json` writes JSON lines")
    home = root(ctx) / ".council"
    if watch:
        _watch(ctx, home, session)
    with reading(ctx) as store:
        found = status.read(store, session)
        pid = holder(home / "lock") if found.session == status.newest(store) else None
        now = live.read(home / live.NAME) if pid is not None else None
        if as_json:
            show_json({**found.as_json(), "pid": pid, "live": now})
        else:
            show(face.lines(found, pid, now))


def _watch(ctx: click.Context, home: Path, session: str | None) -> None:
    """Show what another process does until it ends; off a terminal a line per finished round."""
    from council import live
    from council.lock import holder
    from council.ui.livedisplay import Display, following
    from council.views import status

    with reading(ctx) as store:
        name = session or status.newest(store)
        mine = name == status.newest(store)
    if not mine or holder(home / "lock") is None:
        return
    display = Display(database(root(ctx)), sys.stdout)
    try:
        with following(display, name):
            while holder(home / "lock") is not None:
                display.state = live.read(home / live.NAME) or {}
                time.sleep(0.5)
    except KeyboardInterrupt:
        ctx.exit(0)
