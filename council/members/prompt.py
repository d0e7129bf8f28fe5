"""Prompts: what a member is told at each step, in an order that providers can cache.

What: one function per step returns a `Prompt`: the system text (always the same), a prefix (program, train.py and the
older history; the same from round to round under one incumbent) and a tail (the last ten rounds, the numbers, the
task). Why: see `prompt_history.py`. How to extend: words are in `prompts/*.md`; a new step is a file there and a
function here. `room` is how many tokens fit: history goes first, then logs and other members' texts, the code never.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from council import tokens
from council.errors import MemberError
from council.members import prompt_history as told
from council.members import prompt_slate as slates
from council.members.prompt_text import fence, one_line, quoted, render, tail_quoted, template
from council.types import Brief, Critique, Proposal, Slate

if TYPE_CHECKING:
    from council.members.llm import LLMMember

TEMPLATES = (
    *("system", "prefix", "standing", "propose", "repair"),
    *("critique", "respond", "rank", "entry", "unreadable"),
)
ERAS_SHARE, SINCE_SHARE, RECENT_SHARE = 0.17, 0.05, 0.11
"""What the three parts of the history may have, as shares of the tokens of system text, program and code."""
SINCE_LEAST, RECENT_LEAST = 130, 220
TAIL_SHARE = 0.215
"""What the tail may have, as a share of the tokens before it, if its diffs are of usual length."""
BESIDE_TASK = 0.3
"""How much of the tail's history a step shows that has others' texts to show."""
HEADING = 50
"""Tokens of a step's heading and of its last line."""
LOG_TOKENS, LEAST_LOG, USUAL_EDIT = 1500, 500, 300
"""The most and the least tokens of a log, and what of an edit counts against it."""
USUAL_ENTRY = 700
"""Tokens of a usual proposal on a slate, for the estimate."""
BACK = " What was kept turned out no better than the baseline, so the current code is the baseline again."
SIZES = {"cuda": (8192, 2048, "300 seconds"), "cpu": (2048, 128, "15 CPU-seconds"), "mps": (2048, 128, "300 seconds")}


@dataclass(frozen=True)
class Prompt:
    """One prompt: `system` and `prefix` are worth caching, `tail` is new in each round."""

    system: str
    prefix: str
    tail: str

    @property
    def tokens(self) -> int:
        return tokens.count(self.system) + tokens.count(self.prefix) + tokens.count(self.tail)


@cache
def fingerprint() -> str:
    """A hash of all templates."""
    return hashlib.sha256("\0".join(template(name) for name in TEMPLATES).encode()).hexdigest()[:16]


def propose(brief: Brief, room: int) -> Prompt:
    """Ask for one edit."""
    return _fitted(brief, room, lambda left, share: render("propose"), 1.0)


def repair(brief: Brief, proposal: Proposal, reason: str, early: bool, room: int) -> Prompt:
    """Ask the author to mend an edit that was invalid, or that crashed early."""
    what = "crashed right at the start of its run." if early else "could not be accepted."

    def task(left: int, share: float) -> str:
        mine = slates.own(proposal, share)
        room = left - min(USUAL_EDIT, tokens.count(mine["edit"])) - tokens.count(mine["hypothesis"])
        most = int(max(LEAST_LOG, min(LOG_TOKENS, room)) * share)
        said = tail_quoted(reason, most) if early else quoted(reason, most)
        return render("repair", what=what, reason=said, **mine)

    return _fitted(brief, room, task)


def critique(brief: Brief, slate: Slate, room: int) -> Prompt:
    """Ask for comments on the proposals of a slate."""
    return _fitted(brief, room, lambda left, share: render("critique", slate=slates.shown(slate, left, share)))


def respond(brief: Brief, proposal: Proposal, critiques: tuple[Critique, ...], room: int) -> Prompt:
    """Ask an author to answer its critics."""

    def task(left: int, share: float) -> str:
        mine = slates.own(proposal, share)
        room = left - min(USUAL_EDIT, tokens.count(mine["edit"])) - tokens.count(mine["hypothesis"])
        return render("respond", comments=slates.comments(critiques, room, share), **mine)

    return _fitted(brief, room, task)


def rank(brief: Brief, slate: Slate, room: int) -> Prompt:
    """Ask for a ballot over a slate."""
    labels = ", ".join(entry.label for entry in slate.entries)
    return _fitted(
        brief, room, lambda left, share: render("rank", slate=slates.shown(slate, left, share), labels=labels)
    )


def unreadable(complaint: str) -> str:
    """What is said to an answer that could not be used."""
    return render("unreadable", complaint=quoted(complaint, LOG_TOKENS))


def estimate(
    member: LLMMember, brief: Brief, others: int, answers: Mapping[str, int], thinking: Mapping[str, int]
) -> float:
    """Dollars of an ordinary round of a member, from the size of its real prompts."""
    price, first = member.price(), propose(brief, 10**9)
    stable = tokens.count(first.system) + tokens.count(first.prefix)
    tail, slate = tokens.count(first.tail), others * USUAL_ENTRY
    thought = thinking.get(member.effort, 0) if isinstance(member.effort, str) else (member.effort or 0)
    total = 0.0
    for step, written in answers.items():
        prompt = tail + (slate if step in ("critique", "rank") else 0)
        paid = price.written if step == "propose" else price.cached  # the first call of a round fills the cache
        total += stable * paid + prompt * price.input + (written + thought) * price.output
    return total


def _fitted(brief: Brief, room: int, task: Callable[[int, float], str], recent: float = BESIDE_TASK) -> Prompt:
    """The fullest prompt that fits: all of the history, less of it, none; then shorter texts of members.

    `task` writes the step's own part in the tokens that the tail has left for it, times a share.
    """
    for history, share in ((1.0, 1.0), (0.5, 1.0), (0.2, 1.0), (0.0, 1.0), (0.0, 0.5), (0.0, 0.2), (0.0, 0.05)):
        found = _assembled(brief, history, history * recent)
        said = tokens.count(found.tail)
        left = int(TAIL_SHARE * (found.tokens - said)) - said - HEADING
        found = replace(found, tail=_sendable(found.tail + task(left, share)))
        if found.tokens <= room:
            return found
    raise MemberError(
        f"train.py and the instructions have {found.tokens} tokens, which is more than this model reads ({room})",
        hint="Give the member a model with a larger window, or a smaller max_tokens.",
    )


def _assembled(brief: Brief, history: float, recent: float) -> Prompt:
    """Everything but the step's own part; the prefix depends on `history` alone, so that all steps share it."""
    system = template("system")
    fixed = _fixed(system, brief.program, brief.source)
    vocab, seq, usual = SIZES.get(brief.device, SIZES["cpu"])
    marks = fence(brief.source)
    prefix = render(
        "prefix",
        program=brief.program.strip(),
        device=_machine(brief),
        budget=f"{brief.budget:g} seconds" if brief.budget else usual,
        measured=_measured(brief),
        vocab=f"{vocab:,}",
        seq=f"{seq:,}",
        fence=marks,
        source=brief.source.rstrip("\n"),
        eras=told.eras(brief, int(ERAS_SHARE * fixed * history)) if history else "(left out)",
    )
    standing = render(
        "standing",
        since=told.since(brief, max(SINCE_LEAST, int(SINCE_SHARE * fixed * recent))) if history else "(left out)",
        recent=told.recent(brief, max(RECENT_LEAST, int(RECENT_SHARE * fixed * recent))),
        round=f"{brief.round} of {brief.rounds}" if brief.rounds else brief.round,
        best=f"{brief.best:.5f}",
        best_sd=f"{brief.best_sd:.5f}",
        sigma=f"{brief.sigma:.5f}",
        baseline=f"{brief.baseline:.5f}",
        settled=brief.settled,
        hits=brief.hits,
        rate=f"{brief.base_rate:.2f}",
        back=BACK if told.went_back(brief) else "",
    )
    return Prompt(system, _sendable(prefix), standing)


def _sendable(text: str) -> str:
    """A text that any provider can be sent: halves of characters, as broken files hold them, become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


@cache
def _fixed(system: str, program: str, source: str) -> int:
    return tokens.count(system) + tokens.count(program) + tokens.count(source)


def _machine(brief: Brief) -> str:
    name = one_line(brief.current.machine, 40) if brief.current else ""
    return f"{brief.device} ({name})" if name else brief.device


def _measured(brief: Brief) -> str:
    """What the current code showed when it was measured, as one sentence with a space before it, or ''."""
    ran = brief.current
    facts = [
        f"{ran.params:,} parameters and buffers" if ran and ran.params else "",
        f"{ran.steps:,} optimizer steps by its own count" if ran and ran.steps else "",
        f"a peak of {ran.peak_mb:,.0f} MB of memory" if ran and ran.peak_mb else "",
    ]
    told = ", ".join(filter(None, facts))
    return f" Measured on the current code: {told}." if told else ""
