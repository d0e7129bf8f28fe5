"""`council exam`: which members can tell good edits from bad ones, before anyone pays for a night with them."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import click

from council.cli.common import as_json, here, reading, root, session_option, show, show_json

if TYPE_CHECKING:
    from council.exam import Item, Mark
    from council.room import Room
    from council.store import Row, Store

ENOUGH = 60


@click.command("exam")
@click.argument("names", nargs=-1, metavar="[MEMBER]...")
@session_option
@click.option("--most", type=click.IntRange(min=2), default=ENOUGH, show_default=True, help="Most experiments to ask.")
@click.option("--max-usd", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Most per member.")
@click.option("--offline", is_flag=True, help="Only members that need no network.")
@click.option("--config", type=click.Path(dir_okay=False), metavar="FILE", help="[default: council.yaml of the lab]")
@as_json
@click.pass_context
def command(
    ctx: click.Context,
    names: tuple[str, ...],
    session: str | None,
    most: int,
    max_usd: float,
    offline: bool,
    config: str | None,
    as_json: bool,
) -> None:
    """Let members forecast past experiments, blind.

    In an order drawn by lot the members of council.yaml, or those named, see an edit and what was known when it was
    proposed, never its author or its outcome, and say how likely it measured below the booked best. AUC is the chance
    that they put a good edit above a bad one; a member whose 90 % interval includes one half, or what the base rate
    alone gets, is at chance. Over all sessions that compare with the last one, or over one --session. Calls are paid
    for and not recorded.

    \b
    Example:
      council exam --max-usd 0.50
    """
    from council import exam
    from council.assembly import members_of
    from council.config import load
    from council.errors import UsageError

    top = root(ctx)
    present, absent = members_of(load(here(ctx) / config if config else top / "council.yaml"), offline=offline)
    if unknown := [n for n in names if n not in present]:
        why = "; ".join(f"{n}: {absent.get(n, 'council.yaml does not name it')}" for n in unknown)
        raise UsageError(f"not here: {why}", hint=f"Present: {', '.join(sorted(present))}.")
    chosen = {n: m for n, m in present.items() if not names or n in names}
    with reading(ctx) as store:
        questions, seed = _questions(ctx, store, session, most)
    with _bar(sum(q.author != name for name in chosen for q in questions)) as bar:

        def asking(text: str) -> None:
            bar.label = text
            bar.update(1)

        marks = exam.examine(chosen, questions, seed, asking, max_usd)
    base = exam.reference(questions)
    show_json(_json(marks, base, len(questions))) if as_json else show(_lines(marks, base, questions, absent))


def _bar(length: int) -> AbstractContextManager[Any]:
    """Which question is asked of whom, where someone watches: a model takes seconds for each."""
    from council import ui

    return click.progressbar(length=length, file=sys.stderr, show_pos=True, hidden=ui.default() != "live")


def _questions(ctx: click.Context, store: Store, session: str | None, most: int) -> tuple[list[Item], str]:
    """The experiments to ask about, drawn by lot where there are more than enough, and the seed of the exam."""
    import random

    from council import exam
    from council.errors import UsageError
    from council.repo import Repo
    from council.room import Room
    from council.views import leaderboard

    repo = Repo.open(root(ctx))
    found: list[tuple[Room, Row]] = []
    pooled = leaderboard.read(store, session).pooled
    rows = [row for row in store.rows("sessions") if row["name"] in pooled]
    for row in rows:
        # an exam runs nothing: what a room needs to run is left empty
        room = Room(store, repo, row, {}, (), None, "", None, "", "", lambda event: None)  # type: ignore[arg-type]
        found += [(room, run) for run in exam.settled(room)]
    if len({exam.is_hit(run) for _, run in found}) < 2:
        raise UsageError(
            f"an exam needs past experiments of both outcomes; {len(found)} have settled, all with the same",
            hint="Run a session first: council run --offline --rounds 20",
        )
    seed = rows[-1]["seed"]
    drawn = random.Random(seed).sample(found, most) if len(found) > most else found
    return [exam.item(room, run) for room, run in drawn], seed


def _json(marks: list[Mark], base: Mark, asked: int) -> dict[str, object]:
    from dataclasses import asdict

    members = [{**asdict(m), "at_chance": m.at_chance} for m in marks]
    return {"experiments": asked, "base_rate": asdict(base), "members": members}


def _row(mark: Mark, word: str) -> tuple[str, ...]:
    from council.views.words import NONE, clean, count, money, number

    auc = NONE if mark.auc is None else f"{mark.auc.value:.2f} ({mark.auc.low:.2f} to {mark.auc.high:.2f})"
    came = mark.calibration
    brier = (number(came.brier, 3), number(came.base, 3)) if came else (NONE, NONE)
    answered = f"{count(mark.answered)}/{count(mark.asked)}"
    return (clean(mark.member, 24), answered, auc, word, *brier, money(mark.cost_usd))


def _lines(marks: list[Mark], base: Mark, questions: list[Item], absent: dict[str, str]) -> list[str]:
    from council.ui.text import table, wrap
    from council.views.words import clean, plural

    rows = [
        _row(m, "at chance" if m.auc is None or m.at_chance else "above" if m.auc.value > 0.5 else "below")
        for m in marks
    ]
    rows.append(_row(base, "no skill"))
    hits = sum(q.hit for q in questions)
    notes = [
        "How to read it: AUC is the chance that a good edit got a higher forecast than a bad one, with its 90 % "
        "interval; at chance: the interval reaches one half, or what the base rate known at the time gets, which is "
        "below one half on most nights without any fault. Brier below base: the forecasts may be taken at their word. "
        "A member's own edits are not asked about.",
        *(f"{clean(m.member, 40)} stopped: {clean(m.stopped, 200)}." for m in marks if m.stopped),
        *(f"Absent: {clean(name, 40)} ({clean(why, 80)})." for name, why in absent.items()),
    ]
    return [
        *wrap(f"{plural(len(questions), 'past experiment')}, {hits} below the book of their moment."),
        "",
        *table(("member", "answered", "AUC (90 %)", "", "Brier", "base", "cost"), rows, right=(1, 2, 4, 5, 6)),
        "",
        *(line for text in notes for line in wrap(text)),
    ]
