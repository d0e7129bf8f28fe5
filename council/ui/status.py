"""A session's status as lines of text, and what `run` says before it starts and at its end."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from council.ui.text import table, width, wrap
from council.views import sentences
from council.views.round import Round
from council.views.status import Kept, Status
from council.views.words import bpb, clean, delta, duration, plural, sigmas, spent, symbol

if TYPE_CHECKING:
    from council.session import Ending, Plan


def lines(status: Status, pid: int | None = None, live: Mapping[str, Any] | None = None) -> list[str]:
    """How the session stands; `pid` is the process that runs it, if one does, `live` its live file."""
    return [
        *wrap(f"Session {clean(status.session)}: {_state(status, pid)}"),
        *wrap(f"{plural(status.rounds_done, 'round')} done, {_verdicts(status)}{_cost(status)}"),
        *wrap(sentences.standing(status) + (f" Noise σ {bpb(status.booked.sigma)}." if status.booked else "")),
        *kept(status),
        *_running(status, pid, live),
    ]


def _state(status: Status, pid: int | None) -> str:
    if pid is not None:
        return f"running (pid {pid}); `council stop` ends it after the experiment"
    if status.ended is None:
        return f"interrupted; `council run --resume {clean(status.session)}` goes on"
    ago = duration(time.time() - status.ended_at) if status.ended_at else ""
    return f"ended {ago} ago: {clean(status.ended)}"


def _verdicts(status: Status) -> str:
    parts = [f"{symbol(kind)} {n} {kind}" for kind in sentences.KINDS if (n := status.verdicts.get(kind, 0))]
    parts += [f"{symbol('replicate')} {plural(status.replicates, 'replicate')}"] if status.replicates else []
    return ", ".join(parts) or "no verdict yet"


def _cost(status: Status) -> str:
    return f", spent {spent(status.cost_usd, status.unanswered_usd)}" if status.llm or status.cost_usd else ""


def kept(status: Status) -> list[str]:
    """A table of the kept edits."""
    if not status.kept:
        return []
    head = ("", "round", "Δ BPB", "Δ σ", "member", "title")
    rows = [_kept(edit) for edit in status.kept]
    return [
        "",
        *wrap("Kept (+ is better; ↩ undone by going back to the baseline)"),
        *table(head, rows, right=(1, 2, 3), flex=5),
    ]


def _kept(edit: Kept) -> tuple[str, ...]:
    sign = symbol("keep") if edit.standing else symbol("back")
    numbers = (str(edit.round), delta(edit.delta), sigmas(edit.sigmas))
    return (sign, *numbers, clean(edit.member, 14), clean(edit.title, 120))


def _running(status: Status, pid: int | None, live: Mapping[str, Any] | None) -> list[str]:
    found = []
    if status.running is not None:
        run = status.running
        what = f"“{clean(run.title)}” by {clean(run.member, 40)}" if run.title else "the same code on a fresh seed"
        since = f"for {duration(time.time() - run.since)}" if pid is not None else "cut off; it will run again"
        found = ["", *wrap(f"Round {run.round}, experiment x{run.number} ({run.role}) {since}: {what}")]
    if pid is not None and live and live.get("pid") == pid:
        from council.ui.plain import from_live

        found += wrap("Now: " + from_live(live))
    return found


def plan(found: Plan) -> list[str]:
    """What `run` is about to do."""
    present = [f"{clean(name, 40)} ({clean(kind, 30)})" for name, kind, absent in found.members if not absent]
    absent = [f"{clean(name, 40)} ({clean(why, 100)})" for name, _, why in found.members if why]
    boxed = "unsandboxed: edited code runs with your rights" if found.sandbox in ("none", "") else found.sandbox
    verb = "Resuming" if found.resumed else "Starting"
    done = f" ({found.done} done)" if found.resumed else ""
    told = [
        f"{verb} session {clean(found.session)}: {plural(found.rounds, 'round')}{done}, {_budget(found)}"
        f"{_about(found)}.",
        f"Members: {', '.join(present)}.",
        *([f"Absent: {', '.join(absent)}."] if absent else []),
        f"Judges: {', '.join(clean(name, 40) for name in found.judges) or 'none'}; rule {clean(found.rule, 40)}. "
        f"Sandbox: {clean(boxed, 100)}.",
        *([f"No round begins after {found.until}."] if found.until else []),
        *(clean(note, 300) for note in found.notes),
        "The score is validation bits per byte (BPB): lower is better.",
    ]
    return [line for text in told for line in wrap(text)]


def _budget(found: Plan) -> str:
    """How long each experiment trains, and where."""
    seconds = BUDGETS[_machine(found)] if found.budget is None else found.budget
    return f"{seconds:g} s of training per experiment on {clean(_machine(found))}"


def _about(found: Plan) -> str:
    """How long all of it takes, roughly: every experiment also starts up and is scored, and waits for its members."""
    if not found.ahead:
        return ""
    budget = BUDGETS[_machine(found)] if found.budget is None else found.budget
    runs = found.ahead + (0 if found.resumed else BASELINES)
    seconds = runs * (budget * 1.3 + OVERHEAD) + found.waiting
    sooner = "; --until HH:MM ends it sooner" if seconds > LONG and not found.until else ""
    return f", about {duration(seconds)} in all{sooner}"


def _machine(found: Plan) -> str:
    """The device, or the one that `auto` will most likely mean."""
    if found.device != "auto":
        return found.device
    return "cuda" if shutil.which("nvidia-smi") else "mps" if sys.platform == "darwin" else "cpu"


BUDGETS = {"cpu": 15.0, "cuda": 300.0, "mps": 300.0}
BASELINES = 2
OVERHEAD = 14.0
"""For the estimate only: seconds of training if none are set, baseline runs, seconds around a training."""
LONG = 3600.0
"""A night this long is worth a word on how to end it at an hour."""


def summary(status: Status, rounds: Sequence[Round], ending: Ending) -> list[str]:
    """The end of a run: what happened in its last rounds, what came out, what was kept, what to do next."""
    name = clean(status.session)
    again = f"council run --resume {name}"
    onward = f"Resume: {again}" if ending.exit_code else f"Go on: {again} --rounds {status.rounds_done + 6}"
    why = "" if ending.exit_code == 0 else f" ({clean(ending.reason, 300)})"
    return [
        "",
        *wrap(f"Session {name}: {plural(status.rounds_done, 'round')} done{why}."),
        *wrap(sentences.standing(status)),
        *wrap(sentences.tally(status)),
        *_story(rounds),
        *kept(status),
        "",
        onward,  # never wrapped, so that it can be copied
        *wrap(f"Look next: {_MEASURED if status.booked else _UNMEASURED}"),
        *([] if status.llm else wrap(_BUILT_IN)),
    ]


def _story(rounds: Sequence[Round]) -> list[str]:
    """A sentence per round."""
    if not rounds:
        return []
    found = ["", "What happened"]
    for round_ in rounds:
        body = wrap(sentences.verdict(round_), width(100) - 8)
        found += [f"{sentences.sign(round_):2} {round_.round:>3}  {body[0]}", *(f"        {line}" for line in body[1:])]
    return found


_MEASURED = "council leaderboard · council show best --diff · council audit"
_UNMEASURED = "council doctor · council audit"
"""Commands with something to show."""
_BUILT_IN = (
    "These were built-in members only, the floor that language models must beat. Set a provider's key and its "
    "member takes its seat: council doctor says which."
)
