"""`council doctor`: what is missing on this machine and how to mend it. The checks are `council/cli/checks.py`."""

from __future__ import annotations

from dataclasses import asdict

import click

from council.cli.common import as_json, here, show, show_json


@click.command("doctor")
@click.option("--online", is_flag=True, help="Also ask each model for one token, and show how long it took.")
@as_json
@click.pass_context
def command(ctx: click.Context, online: bool, as_json: bool) -> None:
    """Say what is missing on this machine and how to mend it.

    Changes nothing, and needs no network without --online. Exit code 1 when a session could not run.

    \b
    Example:
      council doctor
      council doctor --online
    """
    from council.cli.checks import every
    from council.cli.models import models
    from council.ui.text import colourful, paint, wrap
    from council.views.words import clean

    found = [*every(here(ctx)), *models(here(ctx), online=online)]
    ok = all(check.state != "missing" for check in found)
    if as_json:
        show_json({"ok": ok, "checks": [asdict(check) for check in found]})
    else:
        import sys

        colour = colourful(sys.stdout)
        styles = {"ok": "good", "missing": "bad", "note": "place"}
        lines = []
        for check in found:
            told = wrap(f"{check.name}: {clean(check.what, 400)}") + (
                wrap(clean(check.mend, 400), None) if check.mend else []
            )
            lines += [
                f"{paint(f'{check.state:7}', styles[check.state], colour)}  {told[0]}",
                *(f"         {x}" for x in told[1:]),
            ]
        ready = next((check.what for check in found if check.name == "session"), "")
        show([*lines, "", f"Ready: {ready}" if ok else "Not ready: mend what is missing."])
    ctx.exit(0 if ok else 1)
