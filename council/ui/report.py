"""The report of a session as one HTML file: offline, without script, for a screen in the light or dark and for paper.

What: the template `council/ui/templates/report.html` over `council/views/night.py`. Why one file: it is mailed,
archived and opened years later. All foreign text passes `clean` or `clean_lines` and Jinja's escaping. How to extend: a
section is a block of the template; `write_report` is what a session calls at every stop.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from council.ui import svg
from council.views import night, sentences, words
from council.views.night import Edit, Night

if TYPE_CHECKING:
    from council.store import Store

DIFF_LINES, DIFF_WIDTH = 160, 240
"""Most lines of one diff in a report, and their width."""

DIFF_BYTES = 1_200_000
"""Most bytes of all diffs together, escaped; a report is to stay under 3 MB."""

TAIL_LINES = 12
TAILS = 40
"""Lines of the log that a failed experiment shows, and how many failed experiments show one."""


def html(found: Night, written: float | None = None) -> str:
    """The report as HTML; `written` is the moment it was written."""
    from council.ui import charts

    chart = charts.staircase(found.staircase, lambda number: f"#round-{number}") if found.staircase.runs else ""
    kept = {edit.kept.round for edit in found.edits}
    chart = re.sub(r'<a href="#round-(\d+)">', lambda m: m[0] if int(m[1]) in kept else "<a>", chart)
    return (
        _environment()
        .get_template("report.html")
        .render(
            night=found,
            book=found.status.booked,
            said=night.summary(found),
            standing=sentences.standing(found.status),
            chart=chart,
            colours=svg.variables(),
            written=time.time() if written is None else written,
            tails=TAILS,
            diffs=diffs(found.edits),
        )
    )


@cache
def _environment() -> Any:
    """Jinja with everything escaped, and the words of the views as filters."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    names = ("bpb", "delta", "sigmas", "money", "probability", "number", "count", "plural", "duration", "symbol")
    found.filters.update({name: getattr(words, name) for name in (*names, "clean")})
    found.filters.update(when=when, tail=tail, facts=facts)
    return found


def when(at: float | None) -> str:
    """A moment in local time, to the minute."""
    return words.NONE if at is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def diff_lines(text: str, limit: int = DIFF_LINES, width: int = DIFF_WIDTH) -> list[tuple[str, str]]:
    """(class, line) for each line of a diff: add, del, at, head or same."""
    found = []
    for line in words.clean_lines(text, limit, width):
        kind = {"+": "add", "-": "del", "@": "at"}.get(line[:1], "same")
        found.append(("head" if line.startswith(("+++ ", "--- ")) else kind, line))
    return found


def diffs(edits: Sequence[Edit]) -> dict[int, list[tuple[str, str]]]:
    """The diffs of as many kept edits as fit, by experiment: those that stand come first, of these the latest."""
    found: dict[int, list[tuple[str, str]]] = {}
    left = DIFF_BYTES
    for edit in sorted(edits, key=lambda edit: (not edit.kept.standing, -edit.kept.number)):
        lines = diff_lines(edit.diff)
        size = sum(len(f'<span class="{kind}">{escape(line)}</span>\n'.encode()) for kind, line in lines)
        if size <= left:
            found[edit.kept.number], left = lines, left - size
    return found


def tail(text: str, limit: int = TAIL_LINES) -> list[str]:
    """The last lines of a log."""
    return words.clean_lines("\n".join(text.rstrip().split("\n")[-limit:]), limit, DIFF_WIDTH)


def facts(found: Any, prefix: str = "") -> list[tuple[str, str]]:
    """A JSON object as pairs of inert text, inner objects with dotted names; anything else has no name."""
    if not isinstance(found, dict):
        return [("", words.clean(found, 160))]
    pairs: list[tuple[str, str]] = []
    for key, value in found.items():
        if isinstance(value, dict):
            pairs += facts(value, f"{prefix}{key}.")
        else:
            pairs.append((words.clean(f"{prefix}{key}", 80), words.clean(value, 160)))
    return pairs


def file_name(session: str) -> str:
    """The name of a session's report: no session can name a file elsewhere."""
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', session)[:80] or 'session'}.html"


def save(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(content.encode("utf-8", "replace") if isinstance(content, str) else content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_report(store: Store, session: str, folder: Path) -> Path | None:
    """Write the report of a session into a folder; returns its path, or None if that failed. Never raises."""
    try:
        path = folder / file_name(session)
        save(path, html(night.read(store, session)))
    except Exception:  # a report that cannot be written must not end a night
        return None
    return path
