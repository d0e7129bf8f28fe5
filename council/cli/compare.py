"""`council compare`: two members, or two sessions, with intervals and cost."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from council.cli.common import as_json, reading, session_option, show, show_json

if TYPE_CHECKING:
    from council.judge.meters import Meter
    from council.judge.reputation import Interval
    from council.store import Store
    from council.views.duel import Confirmed, Duel


@click.command("compare")
@click.argument("a")
@click.argument("b")
@session_option
@as_json
@click.pass_context
def command(ctx: click.Context, a: str, b: str, session: str | None, as_json: bool) -> None:
    """Compare two members round by round, or two sessions by name.

    Members are paired by round, over all sessions measured like the last one or over one --session; of a name whose
    model, options or prompts changed, the newest counts. Sessions are compared by what their fresh pairs of runs say;
    one that ended on its baseline gained nothing. Without pairs there is no interval, and it says what to run.

    \b
    Example:
      council compare opus gpt
      council compare 2026-11-19 2026-11-20
    """
    from council.views import duel

    with reading(ctx) as store:
        if store.one("sessions", name=a) and store.one("sessions", name=b):
            data, lines = _sessions(store, a, b)
        else:
            found = duel.members(store, a, b, session)
            data, lines = asdict(found), _members(found)
    show_json(data) if as_json else show(lines)


def _members(found: Duel) -> list[str]:
    from council.ui.text import table, wrap
    from council.views.words import clean, count, money, number, plural

    a, b = clean(found.a.name, 24), clean(found.b.name, 24)
    pairs = [
        ("proposed", count(found.a.proposals), count(found.b.proposals)),
        ("picked of shared rounds", count(found.picked[0]), count(found.picked[1])),
        ("ran", count(found.a.run), count(found.b.run)),
        ("kept", count(found.a.kept), count(found.b.kept)),
        ("Brier of others' proposals", number(found.a.brier, 3), number(found.b.brier, 3)),
        ("bad replies", count(found.a.bad_replies), count(found.b.bad_replies)),
        ("cost", money(found.a.cost_usd), money(found.b.cost_usd)),
    ]
    said = [
        f"{plural(found.rounds, 'round')} in which both stood for the vote; {a} less {b}, with 90 % intervals:",
        f"Expected gain of their edits: {_interval(found.expected, ' σ')}.",
        f"Other judges put {a} above {b} in {_share(found.ranked)} of cases.",
        f"Squared error of forecasts of the same third proposals: {_meter(found.brier)} (below 0 favours {a}).",
        "Ran and kept are not paired: only what was picked ran.",
    ]
    return [*table(("", a, b), pairs, right=(1, 2)), "", *(line for text in said for line in wrap(text))]


def _sessions(store: Store, a: str, b: str) -> tuple[dict[str, object], list[str]]:
    from council.ui.text import table, wrap
    from council.views import compare, costs, duel
    from council.views.words import bpb, clean, count, money

    pair = compare.read(store, a, b)
    names = [clean(a, 30), clean(b, 30)]
    lines = {line.name: line for line in compare.every(store)}
    sides = [lines[name] for name in (a, b)]
    books = [side.status.booked for side in (pair.one, pair.other)]
    closings = [duel.confirmed(store, store.rows("sessions", name=name)[0]["id"]) for name in (a, b)]
    gap = None if pair.differs else duel.difference(*closings)
    spent = [costs.read(store, name).cost_usd for name in (a, b)]
    rows = [
        ("rounds", *(count(s.rounds) for s in sides)),
        ("kept", *(count(s.kept) for s in sides)),
        ("baseline booked", *(bpb(x.baseline if x else None) for x in books)),
        ("best booked", *(bpb(x.best if x else None) for x in books)),
        ("gain of fresh pairs", *(_gain(c) for c in closings)),
        ("cost", *(money(x) for x in spent)),
    ]
    if pair.differs:
        keys = ", ".join(f"{clean(k, 40)} ({clean(x, 40)} and {clean(y, 40)})" for k, x, y in pair.differs)
        told = f"They were measured under different conditions, so their gains do not compare: {keys}."
    elif gap is None:
        first = " and ".join(
            f"council confirm --session {n}" for n, c in zip(names, closings, strict=True) if c is None
        )
        told = f"Booked gains are bent by selection and are not compared. Run first: {first}."
    elif not any(c and c.pairs for c in closings):
        told = "Both ended on their baseline: neither gained anything."
    else:
        verdict = "they differ" if gap.excludes_zero else "fresh pairs do not tell them apart"
        told = f"Gain of {names[0]} less that of {names[1]}: {_interval(gap, ' BPB', 5)}; {verdict}."
    data: dict[str, object] = {
        "sessions": [asdict(s) for s in sides],
        "closings": [c and asdict(c) for c in closings],
        "cost_usd": spent,
        "difference": gap and asdict(gap),
        "differs": pair.differs,
    }
    return data, [*table(("", *names), rows, right=(1, 2)), "", *wrap(told)]


def _gain(found: Confirmed | None) -> str:
    from council.views.words import bpb

    if found is None:
        return "unconfirmed"
    return bpb(found.gain.value) if found.pairs else "none: its baseline"


def _interval(found: Interval | None, unit: str, digits: int = 2) -> str:
    if found is None:
        return "unknown"
    return f"{found.value:+.{digits}f}{unit} ({found.low:+.{digits}f} to {found.high:+.{digits}f})"


def _meter(meter: Meter) -> str:
    if meter.value is None:
        return "unknown"
    return _interval(meter.interval, "", 3) if meter.interval else f"{meter.value:+.3f} (one round)"


def _share(meter: Meter) -> str:
    if meter.value is None:
        return "an unknown share"
    if meter.interval is None:
        return f"{meter.value + 0.5:.0%}"
    low, high = (min(max(x + 0.5, 0.0), 1.0) for x in (meter.interval.low, meter.interval.high))
    return f"{meter.value + 0.5:.0%} ({low:.0%} to {high:.0%})"
