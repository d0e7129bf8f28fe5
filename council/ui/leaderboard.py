"""The leaderboard as lines of text and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from council.ui.text import table, wrap
from council.views.leaderboard import Leaderboard, Standing
from council.views.words import bpb, clean, count, money, number, plural

_ORDER: dict[str, Callable[[Standing], tuple[object, ...]]] = {
    "proposer": lambda m: (-m.kept, -m.run, -m.proposals, m.name),
    "judge": lambda m: (m.brier is None, m.brier or 0.0, m.name),
    "cost": lambda m: (-m.cost_usd, -(m.tokens_in + m.tokens_out), m.name),
}
ORDERS = tuple(_ORDER)
"""What `--by` knows."""

_HEADS = {
    "proposer": ("member", "kind", "proposed", "ran", "kept", "Brier", "own", "cost"),
    "judge": ("member", "kind", "forecasts", "Brier", "own", "bad replies"),
    "cost": ("member", "kind", "model", "tokens in", "tokens out", "cost", "bad replies"),
}


def ordered(board: Leaderboard, by: str) -> list[Standing]:
    """The members in the order of `by`."""
    return sorted(board.members, key=_ORDER[by])


def lines(board: Leaderboard, by: str = "proposer") -> list[str]:
    """The members in a table, and what the columns mean."""
    rows = [_row(member, by) for member in ordered(board, by)]
    over = f"session {clean(board.pooled[0])}" if len(board.pooled) == 1 else plural(len(board.pooled), "session")
    left = (
        f"; {plural(len(board.left_out), 'session')} measured under other conditions left out" if board.left_out else ""
    )
    noise = "" if board.sigma is None else f"; noise σ {bpb(board.sigma)} BPB"
    return [
        *wrap(f"{plural(board.rounds, 'round')} of {over}{left}{noise}"),
        "",
        *table(_HEADS[by], rows, right=range(3 if by == "cost" else 2, len(_HEADS[by])), flex=0),
        "",
        *wrap(_NOTES[by]),
        *(wrap("Absent: " + "; ".join(_absent(m) for m in board.members if m.absent)) if _any_absent(board) else []),
    ]


_BRIER = (
    "Brier: mean squared error of settled forecasts of others' proposals (0 perfect, 0.25 a coin's); own: of a "
    "member's own. It is calibration, not a ranking of judges."
)
_NOTES = {
    "proposer": f"ran and kept count proposals; few rounds never separate members; skill is not computed yet. {_BRIER}",
    "judge": f"{_BRIER} What a judge's votes are worth is not computed yet.",
    "cost": "Cost is what providers charged for replies; built-in members are free.",
}


def _row(member: Standing, by: str) -> tuple[str, ...]:
    first = (clean(member.name, 24), clean(member.kind, 16))
    brier = (number(member.brier, 3), number(member.brier_own, 3))
    if by == "judge":
        return (*first, count(member.forecasts), *brier, count(member.bad_replies))
    if by == "cost":
        tokens = (count(member.tokens_in), count(member.tokens_out))
        return (*first, clean(member.model or "–", 24), *tokens, money(member.cost_usd), count(member.bad_replies))
    ran = (count(member.proposals), count(member.run), count(member.kept))
    return (*first, *ran, *brier, money(member.cost_usd))


def _any_absent(board: Leaderboard) -> bool:
    return any(member.absent for member in board.members)


def _absent(member: Standing) -> str:
    return f"{clean(member.name, 40)} ({clean(member.absent, 80)})"


def as_csv(board: Leaderboard, by: str = "proposer") -> str:
    """The members as CSV with the keys of `--json`; no cell can start a formula in a spreadsheet."""
    rows = [member.as_json() for member in ordered(board, by)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows[0] if rows else [])
    writer.writerows([cell(value) for value in row.values()] for row in rows)
    return out.getvalue()


def cell(value: object) -> object:
    """A value for CSV: foreign text on one line, and quoted where a spreadsheet would compute it."""
    if not isinstance(value, str):
        return value
    text = clean(value, 1000)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "|", "%")) else text
