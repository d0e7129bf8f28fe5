"""The leaderboard as lines of text and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from council.ui.text import table, wrap
from council.views.leaderboard import Leaderboard, Standing
from council.views.words import NONE, bpb, clean, count, money, number, plural, probability

if TYPE_CHECKING:
    from council.judge.meters import Meter
    from council.views.meters import Meters

_ORDER: dict[str, Callable[[Standing], tuple[object, ...]]] = {
    "proposer": lambda m: (m.skill is None, -(m.skill or 0.0), -m.kept, -m.run, -m.proposals, m.name),
    "judge": lambda m: (m.judge_weight is None, -(m.judge_weight or 0.0), m.brier is None, m.brier or 0.0, m.name),
    "cost": lambda m: (-m.cost_usd, -(m.tokens_in + m.tokens_out), m.name),
}
ORDERS = tuple(_ORDER)
"""What `--by` knows."""

_HEADS = {
    "proposer": ("member", "proposed", "ran", "kept", "skill (90 %)", "rank", "P(best)", "cost"),
    "judge": ("member", "forecasts", "weight (90 %)", "Brier", "base", "own", "bad"),
    "cost": ("member", "model", "in", "out", "cost", "$/gain", "bad replies"),
}


def ordered(board: Leaderboard, by: str) -> list[Standing]:
    """The members in the order of `by`."""
    return sorted(board.members, key=_ORDER[by])


def lines(board: Leaderboard, by: str = "proposer", meters: Meters | None = None) -> list[str]:
    """The members in a table, what the columns mean, and what the data allow to be said."""
    rows = [_row(member, by) for member in ordered(board, by)]
    over = f"session {clean(board.pooled[0])}" if len(board.pooled) == 1 else plural(len(board.pooled), "session")
    left = (
        f"; {plural(len(board.left_out), 'session')} measured under other conditions left out" if board.left_out else ""
    )
    noise = "" if board.sigma is None else f"; noise σ {bpb(board.sigma)} BPB"
    said = f"{plural(board.rounds, 'round')} of {over}, {plural(board.settled, 'settlement')}{left}{noise}"
    return [
        *wrap(said),
        "",
        *table(_HEADS[by], rows, right=range(2 if by == "cost" else 1, len(_HEADS[by])), flex=0),
        "",
        *wrap(_NOTES[by]),
        *(wrap(_unanswered(board)) if by != "judge" else ()),
        *(wrap(separation(board)) if by == "proposer" else ()),
        *(wrap(helping(board)) if by != "cost" else ()),
        *(_meters(meters) if meters and by == "judge" else ()),
        *(wrap("Absent: " + "; ".join(_absent(m) for m in board.members if m.absent)) if _any_absent(board) else []),
    ]


_NOTES = {
    "proposer": (
        "How to read it: skill is σ gained per experiment against the council's mean, estimated from all proposals, "
        "run or not; where 90 % intervals overlap, members share a range of ranks and are not ranked."
    ),
    "judge": (
        "How to read it: weight is what one standard deviation of a judge's forecast is worth, in σ. Brier is the mean "
        "squared error of settled forecasts of others' proposals, base that of always forecasting the base rate, own "
        "that of its own proposals: calibration, not a ranking of judges."
    ),
    "cost": (
        "How to read it: cost is what providers charged for replies; built-in members are free. $/gain is dollars per "
        "0.001 BPB of kept gain, as the council believed it; unconfirmed."
    ),
}


def _unanswered(board: Leaderboard) -> str:
    """How much of the cost is only set aside."""
    usd = sum(member.unanswered_usd for member in board.members)
    return (
        f"Of the cost {money(usd)} is set aside for calls without a reply, which may have been paid for." if usd else ""
    )


def separation(board: Leaderboard) -> str:
    """Whether the first two members are apart, or about how many settlements that would take."""
    if board.first is None or board.second is None:
        return "Too few rounds: nothing that two members proposed has settled."
    first, second = clean(board.first, 40), clean(board.second, 40)
    if board.more == 0:
        return f"{first} and {second}, the first two, are apart: the 90 % interval of their difference excludes 0."
    if board.more is None:
        return f"Too few rounds: nothing yet says how {first} and {second} differ."
    return (
        f"Too few rounds: if the difference stays, about {plural(board.more, 'more settlement')} would separate "
        f"{first} and {second}."
    )


def helping(board: Leaderboard) -> str:
    """Whether the judges help: by the prior that picks, and by a sceptic's, since the first begins with a hope."""
    from council.judge.forecast import WEIGHT_TOTAL

    judges = board.judges
    if judges.sum_weight is None or judges.low is None:
        return "Nothing has settled: nobody knows yet whether the judges help."
    total = f"their weights sum to {_between(judges.sum_weight, judges.low, judges.high)} σ"
    prior = f"with the prior that also picks, which expects {WEIGHT_TOTAL:+.2f} of any judges"
    doubt = (
        f"with a sceptic's, which expects 0, to {_between(judges.sceptic_sum, judges.sceptic_low, judges.sceptic_high)}"
    )
    if judges.helping:
        return f"The judges help: {total} {prior}, and {doubt}: both intervals lie above 0."
    if judges.low <= 0:
        return (
            f"The judges are not helping, as far as can be told: {total} {prior}, and {doubt}: not even the first "
            "interval lies above 0."
        )
    return (
        f"The judges are not yet shown to help: {total} {prior}, but {doubt}. What was measured does not suffice "
        "without that expectation."
    )


def _between(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:+.2f}" if low is None or high is None else f"{value:+.2f} ({low:+.2f} to {high:+.2f})"


def _meters(found: Meters) -> list[str]:
    """What bends the votes, a line each."""
    from council.refit import name_of

    first, slope = found.position.first, found.position.slope
    alike, regret = found.independence, found.regret
    own = "; ".join(f"{clean(name_of(j), 24)} {_meter(m)}" for j, m in found.self_preference.items())
    worth = alike.effective
    runners = "no runner-up has been measured, so what the ranking costs is not known"
    if regret.lost.n:
        runners = f"{plural(regret.lost.n, 'runner-up')} measured, against the pick {_meter(regret.lost)} σ"
    said = (
        f"Position: the first on a slate gets {_meter(first)} log-odds more than the rest; a place further down, "
        f"{_meter(slope)}.",
        f"Self-preference, log-odds for its own beyond what others give it: {own or 'nothing to compare'}.",
        f"Independence: {plural(alike.judges, 'judge')} are worth "
        + (_between(worth.value, worth.low, worth.high).replace("+", "") if worth else "an unknown number of")
        + " independent ones.",
        f"Regret: {runners}.",
    )
    return ["", *(line for text in said for line in wrap(text))]


def _meter(meter: Meter) -> str:
    if meter.interval is None:
        return _between(meter.value, None, None)
    return _between(meter.value, meter.interval.low, meter.interval.high)


def _row(member: Standing, by: str) -> tuple[str, ...]:
    name = clean(member.name, 24)
    if by == "judge":
        weight = _between(member.judge_weight, member.judge_low, member.judge_high)
        briers = (number(member.brier, 3), number(member.brier_base, 3), number(member.brier_own, 3))
        return (name, count(member.forecasts), weight, *briers, count(member.bad_replies))
    if by == "cost":
        tokens = (count(member.tokens_in), count(member.tokens_out))
        spent = (money(member.cost_usd), money(member.usd_per_gain))
        return (name, clean(member.model or member.kind, 20), *tokens, *spent, count(member.bad_replies))
    ran = (count(member.proposals), count(member.run), count(member.kept))
    skill = _between(member.skill, member.skill_low, member.skill_high)
    return (name, *ran, skill, _rank(member), probability(member.p_best), money(member.cost_usd))


def _rank(member: Standing) -> str:
    if member.rank_low is None:
        return NONE
    return str(member.rank_low) if member.rank_low == member.rank_high else f"{member.rank_low}–{member.rank_high}"


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
