"""`council run`: say what will happen, run it, say what came out.

The loop, the lock and the signals are `council/session.py`; here only its request, its faces and its exit code.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from council.cli.common import database, here, root

if TYPE_CHECKING:
    from council.session import Ending, Request

TOLD = 12
"""Most rounds that the end of a run retells."""


@click.command("run")
@click.option("--rounds", type=click.IntRange(min=1), metavar="N", help="Rounds in total, those already done included.")
@click.option("--budget", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Seconds of training per run.")
@click.option("--until", metavar="HH:MM", help="Stop when the clock shows this, after the round at hand; or: never.")
@click.option("--max-usd", type=click.FloatRange(min=0, min_open=True), metavar="X", help="Most dollars to spend.")
@click.option("--offline/--online", default=None, help="Only members that need no network, or all. [default: all]")
@click.option("--session", metavar="NAME", help="Name of the new session. [default: today's date]")
@click.option(
    "--resume",
    is_flag=False,
    flag_value="",
    default=None,
    metavar="[NAME]",
    help="Go on with the last session or NAME.",
)
@click.option("--dry-run", is_flag=True, help="Say what would run, and stop.")
@click.option("--from-worktree", is_flag=True, help="Start from train.py as it is, committed or not.")
@click.option("--config", type=click.Path(dir_okay=False), metavar="FILE", help="[default: council.yaml of the lab]")
@click.option(
    "--display",
    type=click.Choice(["live", "plain", "json", "none"]),
    help="A live view, lines, JSON lines, or nothing. [default: live on a terminal, else plain]",
)
@click.option(
    "--i-accept-unsandboxed", "unsandboxed", is_flag=True, help="Let edited code run with your rights. Read docs first."
)
@click.pass_context
def command(
    ctx: click.Context,
    rounds: int | None,
    budget: float | None,
    until: str | None,
    max_usd: float | None,
    offline: bool | None,
    session: str | None,
    resume: str | None,
    dry_run: bool,
    from_worktree: bool,
    config: str | None,
    display: str | None,
    unsandboxed: bool,
) -> None:
    """Run a session: propose, vote, measure, decide, round after round.

    Ctrl-C once ends it after the experiment, twice at once; either way --resume goes on. Your checkout, index and
    branch are not touched: kept edits are commits on the branch council/SESSION.

    A resumed session keeps the --rounds, --budget, --until, --max-usd and --offline that it was opened with; what is
    said again holds for this run.

    \b
    Example:
      council run --offline --rounds 6
      council run --resume --rounds 12
    """
    if resume is not None and session is not None:
        raise click.UsageError("--resume names the session to go on with; --session names a new one: give only one.")
    from council.session import Request

    top = root(ctx)
    request = Request(
        root=top,
        config=here(ctx) / config if config else top / "council.yaml",
        rounds=rounds,
        budget=budget,
        until=until,
        max_usd=max_usd,
        offline=offline,
        session=session,
        resume=resume,
        from_worktree=from_worktree,
        accept_unsandboxed=unsandboxed,
    )
    from council.ui import default

    shown = display or default()
    ctx.exit(_dry(request, shown) if dry_run else _run(request, shown))


def _dry(request: Request, display: str) -> int:
    """Print the plan as data."""
    from dataclasses import asdict

    from council import session
    from council.cli.common import show, show_json
    from council.ui import status

    plan = session.plan(request)
    show_json(asdict(plan)) if display == "json" else show([*status.plan(plan), "Nothing was started (--dry-run)."])
    return 0


def _run(request: Request, display: str) -> int:
    from council import session
    from council.cli import holding
    from council.lock import holder
    from council.ui import status

    told = display in ("live", "plain")
    if told and holder(request.root / ".council" / "lock") is None:
        click.echo("\n".join([*status.plan(session.plan(request)), ""]), err=True)
    ending, report = holding.held(request.root, display, lambda emit: session.run(request, emit))
    if told:
        _close(request.root, ending)
        holding.told(report)
    return ending.exit_code


def _close(top: Path, ending: Ending) -> None:
    """Print what came out; a terminal that went away changes nothing."""
    from council.store import Store
    from council.ui import status as face
    from council.views import round as view
    from council.views import status

    store = Store(database(top), read_only=True)
    try:
        found = status.read(store, ending.session)
        told = range(max(1, found.rounds_done - TOLD + 1), found.rounds_done + 1)
        rounds = [view.read(store, number, ending.session) for number in told]
        lines = face.summary(found, rounds, ending)
    finally:
        store.close()
    try:
        sys.stderr.flush()
        click.echo("\n".join(lines))
    except OSError:
        pass
