"""Holding a run: its face while it lasts, and the report of its session however it stops.

Why here: `run` and `confirm` both end sessions, and whoever opens the report in the morning must find the last stop in
it, also when an error ended the night. How to use: `held(top, display, work)` with work that takes a face's `emit`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from council.cli.common import database

if TYPE_CHECKING:
    from council.events import Emit, Event
    from council.session import Ending


def held(top: Path, display: str, work: Callable[[Emit], Ending]) -> tuple[Ending, Path | None]:
    """(how the run ended, its report or None if that could not be written). What `work` raises passes through."""
    from council.ui import opened

    name, report = "", None
    try:
        with opened(display, database(top)) as emit:

            def tell(event: Event) -> None:
                nonlocal name
                name = str(event.data["session"]) if event.kind == "session" else name
                emit(event)

            ending = work(tell)
            name = ending.session
    finally:
        report = _report(top, name) if name else None
    return ending, report


def told(report: Path | None) -> None:
    """Say where the report is."""
    click.echo(f"Report: {report}" if report else "The report could not be written; try: council report")


def _report(top: Path, session: str) -> Path | None:
    """Write the report of a session that has just stopped beside the database."""
    from council.errors import CouncilError
    from council.store import Store
    from council.ui.report import write_report

    folder = database(top).parent / "reports"
    try:
        store = Store(database(top), read_only=True)
    except CouncilError:  # the error that ended the night is the one to tell
        return None
    try:
        folder.mkdir(exist_ok=True)
        return write_report(store, session, folder)
    except OSError:
        return None
    finally:
        store.close()
