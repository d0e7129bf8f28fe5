"""The live block: a session at a glance in as many columns and rows as there are.

Pure: a view and the live state in, styled lines out; `council/ui/livedisplay.py` puts them on a terminal. The state has
the shape of the live file (`last`, `progress`). How to extend: a new line is a function, and its place in `block`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from council.events import Event
from council.ui.plain import progress
from council.views import sentences
from council.views.round import Round
from council.views.staircase import Staircase
from council.views.watch import Seat, Watch
from council.views.words import NONE, bpb, clean, delta, duration, money, number, sigmas, symbol

LEVELS = "▁▂▃▄▅▆▇█"
COLOURS = {
    "keep": "green",
    "crash": "red",
    "rejected": "yellow",
    "void": "magenta",
    "replicate": "blue",
    "running": "cyan",
}
WIDE = 64
"""Columns from which on there is room for more than the most important."""

BUSY = ("thinking", "proposed", "repaired", "voted", "criticised", "answered", "waiting")
"""States of a member that nothing is wrong with."""


def block(watch: Watch | None, state: Mapping[str, Any], columns: int, rows: int, now: float) -> list[Text]:
    """The lines to show, at most `rows` of at most `columns` cells; what matters least goes first."""
    if watch is None:
        return [cut(line, columns) for line in _now(None, state, now)][:rows]
    head, doing = [_head(watch, now), *_best(watch, columns)], _now(watch, state, now, columns)
    room = rows - len(head) - len(doing)
    stairs = _stairs(watch.staircase, columns - 1) if room >= 3 else []
    members = _members(watch.seats, columns, room - len(stairs))
    return [cut(line, columns) for line in [*head, *stairs, *doing, *members]][:rows]


def cut(line: Text, columns: int) -> Text:
    """The line in at most so many cells, the cut marked."""
    line.no_wrap = True
    line.truncate(columns, overflow="ellipsis")
    return line


def round_line(round_: Round) -> Text:
    """One finished round in one line: it stays above the block for good."""
    ran = [e for e in round_.experiments if e.label]
    proposal = round_.proposal(ran[-1].label if ran else round_.pick)
    kind = round_.verdict or "replicate"
    line = Text.assemble((f"{sentences.sign(round_):2}", COLOURS.get(kind, "")), (f"{round_.round:>4}  ", "dim"))
    if round_.delta is not None:
        line.append(f"{delta(round_.delta)} ({sigmas(round_.sigmas)})  ", "green" if kind == "keep" else "")
    elif round_.verdict:
        line.append(f"{clean(round_.reason, 48)}  ", COLOURS.get(kind, ""))
    else:
        line.append("the booked best ran again  ")
    if proposal is not None and round_.verdict:
        line.append(f"{clean(proposal.member, 16)}: ", "bold").append(clean(proposal.title, 120))
    return line


def _head(watch: Watch, now: float) -> Text:
    found = watch.status
    total = f" of {watch.total}" if watch.total and (found.round or 0) <= watch.total else ""
    cost = f" · {money(found.cost_usd)}" if found.llm or found.cost_usd else ""
    cost += f" ({money(found.unanswered_usd)} set aside)" if found.unanswered_usd else ""
    took = duration((found.ended_at or now) - found.began)
    return Text.assemble((clean(found.session, 40), "bold"), f" · round {found.round or 0}{total} · {took}{cost}")


def _best(watch: Watch, columns: int) -> list[Text]:
    book = watch.status.booked
    if book is None:
        return [Text("the baseline is being measured", "dim")]
    better = book.gain is not None and book.gain > 0
    best = Text.assemble((bpb(book.best), "bold green" if better else "bold"), f" ± {bpb(book.best_sd)} BPB")
    gain = Text(f"Δ {delta(book.gain)} ({sigmas(book.sigmas)})")
    if book.is_baseline:
        gain = Text("still the baseline")
    else:
        gain.append(" unconfirmed" if book.confirmed is None else " confirmed", "dim")
    return [Text.assemble(best, "   ", gain)] if columns >= WIDE else [best, gain]


def _stairs(found: Staircase, columns: int) -> list[Text]:
    """The booked best after each of the last experiments as bars (lower is better), and their verdicts under them."""
    books = {booking.number: booking.best for booking in found.bookings}
    values: list[float | None] = []
    for run in found.runs:
        values.append(books.get(run.number, values[-1] if values else None))
    known = [value for value in values[-columns:] if value is not None]
    if not known:
        return []
    low, span = min(known), (max(known) - min(known)) or 1.0
    bars, marks = Text(), Text()
    for run, value in list(zip(found.runs, values, strict=True))[-columns:]:
        level = 0 if value is None else round((value - low) / span * (len(LEVELS) - 1))
        bars.append(" " if value is None else LEVELS[level], "cyan")
        sign = "▸" if run.kind == "running" else symbol(run.kind)
        marks.append("─" if run.kind == "baseline" else sign, COLOURS.get(run.kind, "dim"))
    return [bars, marks]


def _now(watch: Watch | None, state: Mapping[str, Any], now: float, columns: int = 80) -> list[Text]:
    last, under_way = state.get("last") or {}, state.get("progress")
    running = watch.status.running if watch else None
    if under_way and running is not None:
        data = dict(under_way.get("data") or {})
        if isinstance(data.get("seconds"), int | float):
            data["seconds"] += max(0.0, min(now - float(under_way.get("at") or now), 30.0))
        title = clean(running.title, 120) if running.title else "the same code on a fresh seed"
        head = Text.assemble((f"x{running.number} {clean(running.role, 20)} ", "bold cyan"), title)
        bar = _bar(data.get("progress"), 12 if columns >= WIDE else 0)
        if columns < WIDE:
            data.pop("step", None)
        return [head, Text.assemble("   ", progress(Event("progress", "", data=data)), bar)]
    if not last:
        return [Text("waiting for the session to say something", "dim")]
    step = f"{clean(last['step'], 20)}: " if last.get("step") else ""
    ago = duration(now - float(last.get("at") or now))
    return [Text.assemble((step, "bold cyan"), clean(last.get("text", ""), 160), (f" ({ago})", "dim"))]


def _bar(share: object, cells: int) -> Text:
    """How far a training is, where the lab says."""
    if not isinstance(share, int | float):
        return Text()
    full = round(min(max(float(share), 0.0), 1.0) * cells)
    return Text.assemble("  ", ("━" * full, "cyan"), ("─" * (cells - full), "dim"), f" {min(max(share, 0), 1):.0%}")


def _members(seats: Sequence[Seat], columns: int, rows: int) -> list[Text]:
    """A row per member; those that do not fit are counted."""
    if rows <= 0 or not seats:
        return []
    shown = seats if len(seats) <= rows else seats[: rows - 1]
    wide = max(6, min(16, max(len(clean(seat.name, 16)) for seat in seats)))
    lines = [_seat(seat, wide, columns) for seat in shown]
    return lines if len(shown) == len(seats) else [*lines, Text(f"   … {len(seats) - len(shown)} more", "dim")]


def _seat(seat: Seat, wide: int, columns: int) -> Text:
    style = "dim" if seat.state == "absent" else "" if seat.state in BUSY else "yellow"
    rank = f"{seat.rank:>2} " if seat.rank else "   "
    name = Text(clean(seat.name, wide), "bold" if seat.state != "absent" else "dim")
    name.pad_right(max(0, wide - name.cell_len))
    line = Text.assemble((rank, "dim"), name, "  ", (f"{clean(seat.state, 11):11}", style))
    line.append(f" kept {seat.kept:>2}/{seat.run:<3}")
    if columns >= WIDE:
        spread = f" ±{seat.spread:.2f}" if seat.spread is not None else ""
        told = NONE if seat.reputation is None else f"{seat.reputation:+.2f}{spread}"
        line.append(f"  skill {told:12} Brier {number(seat.brier, 3)}")
    return line.append(f"  {money(seat.cost_usd)}" if seat.cost_usd else "")
