"""`council status`: how the running or last session stands."""

from __future__ import annotations

import click

from council.cli.common import as_json, reading, root, session_option, show, show_json


@click.command("status")
@session_option
@as_json
@click.pass_context
def command(ctx: click.Context, session: str | None, as_json: bool) -> None:
    """Show how the running or last session stands.

    The booked best and its noise, the baseline, what was kept, and the experiment that is running. Read-only: safe
    from a second terminal while a session runs.

    \b
    Example:
      council status
      council status --json | python -m json.tool
    """
    from council import live
    from council.lock import holder
    from council.ui import status as face
    from council.views import status

    home = root(ctx) / ".council"
    with reading(ctx) as store:
        found = status.read(store, session)
        newest = status.newest(store)
    pid = holder(home / "lock") if found.session == newest else None
    now = live.read(home / live.NAME) if pid is not None else None
    if as_json:
        show_json({**found.as_json(), "pid": pid, "live": now})
    else:
        show(face.lines(found, pid, now))
