"""Prompts: what a member is told at each step, in an order that providers can cache.

What: one function per step returns a `Prompt`: the system text (always the same), a prefix (program, train.py and the
older history; the same from round to round under one incumbent) and a tail (the last ten rounds, the numbers, the
task). Why: see `prompt_history.py`. How to extend: words are in `prompts/*.md`; a new step is a file there and a
function here. `room` is how many tokens fit: history goes first, then logs and other members' texts, the code never.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from council import tokens
from council.errors import MemberError
from council.members import prompt_history as told
from council.members.prompt_text import fence, one_line, quoted, render, tail_quoted, template
from council.types import Brief, Critique, Edit, Entry, Proposal, Slate

if TYPE_CHECKING:
    from council.members.llm import LLMMember

TEMPLATES = (
    *("system", "prefix", "standing", "propose", "repair"),
    *("critique", "respond", "rank", "entry", "unreadable"),
)
ERAS_SHARE, SINCE_SHARE, RECENT_SHARE = 0.13, 0.05, 0.11
"""What the three parts of the history may have, as shares of the tokens of system text, program and code."""
RECENT_LEAST = 300
HYPOTHESIS_TOKENS, DIFF_TOKENS, COMMENT_TOKENS, LOG_TOKENS, EDIT_TOKENS = 600, 4000, 500, 1500, 6000
"""The most tokens of each text of a member."""
USUAL_ENTRY = 700
"""Tokens of a usual proposal on a slate, for the estimate."""
BACK = " What was kept turned out no better than the baseline, so the current code is the baseline again."
TITLE_TOKENS = 120
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
    return _fitted(brief, room, lambda share: render("propose"))


def repair(brief: Brief, proposal: Proposal, reason: str, early: bool, room: int) -> Prompt:
    """Ask the author to mend an edit that was invalid, or that crashed early."""
    what = "crashed right at the start of its run." if early else "could not be accepted."

    def task(share: float) -> str:
        said = tail_quoted(reason, int(LOG_TOKENS * share)) if early else quoted(reason, int(LOG_TOKENS * share))
        return render("repair", what=what, reason=said, **_own(proposal, share))

    return _fitted(brief, room, task)


def critique(brief: Brief, slate: Slate, room: int) -> Prompt:
    """Ask for comments on the proposals of a slate."""
    return _fitted(brief, room, lambda share: render("critique", slate=_slate(slate, share)))


def respond(brief: Brief, proposal: Proposal, critiques: tuple[Critique, ...], room: int) -> Prompt:
    """Ask an author to answer its critics."""

    def task(share: float) -> str:
        comments = "\n\n".join(
            f"Comment {number}:\n{quoted(one.text, int(COMMENT_TOKENS * share))}"
            for number, one in enumerate(critiques, 1)
        )
        return render("respond", comments=comments, **_own(proposal, share))

    return _fitted(brief, room, task)


def rank(brief: Brief, slate: Slate, room: int) -> Prompt:
    """Ask for a ballot over a slate."""
    labels = ", ".join(entry.label for entry in slate.entries)
    return _fitted(brief, room, lambda share: render("rank", slate=_slate(slate, share), labels=labels))


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


def _fitted(brief: Brief, room: int, task: Callable[[float], str]) -> Prompt:
    """The fullest prompt that fits: all of the history, less of it, none; then shorter texts of members."""
    for history, share in ((1.0, 1.0), (0.5, 1.0), (0.2, 1.0), (0.0, 1.0), (0.0, 0.5), (0.0, 0.2), (0.0, 0.05)):
        found = _assembled(brief, history, task(share))
        if found.tokens <= room:
            return found
    raise MemberError(
        f"train.py and the instructions have {found.tokens} tokens, which is more than this model reads ({room})",
        hint="Give the member a model with a larger window, or a smaller max_tokens.",
    )


def _assembled(brief: Brief, history: float, task: str) -> Prompt:
    system = template("system")
    fixed = _fixed(system, brief.program, brief.source)
    vocab, seq, usual = SIZES.get(brief.device, SIZES["cpu"])
    marks = fence(brief.source)
    prefix = render(
        "prefix",
        program=brief.program.strip(),
        device=brief.device,
        budget=f"{brief.budget:g} seconds" if brief.budget else usual,
        vocab=f"{vocab:,}",
        seq=f"{seq:,}",
        fence=marks,
        source=brief.source.rstrip("\n"),
        eras=told.eras(brief, int(ERAS_SHARE * fixed * history)) if history else "(left out)",
    )
    standing = render(
        "standing",
        since=told.since(brief, int(SINCE_SHARE * fixed * history)) if history else "(left out)",
        recent=told.recent(brief, max(RECENT_LEAST, int(RECENT_SHARE * fixed * history))),
        round=brief.round,
        best=f"{brief.best:.5f}",
        best_sd=f"{brief.best_sd:.5f}",
        sigma=f"{brief.sigma:.5f}",
        baseline=f"{brief.baseline:.5f}",
        settled=brief.settled,
        hits=brief.hits,
        rate=f"{brief.base_rate:.2f}",
        back=BACK if told.went_back(brief) else "",
    )
    return Prompt(system, _sendable(prefix), _sendable(standing + task))


def _sendable(text: str) -> str:
    """A text that any provider can be sent: halves of characters, as broken files hold them, become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


@cache
def _fixed(system: str, program: str, source: str) -> int:
    return tokens.count(system) + tokens.count(program) + tokens.count(source)


def _slate(slate: Slate, share: float) -> str:
    return "\n".join(_entry(entry, share) for entry in slate.entries)


def _entry(entry: Entry, share: float) -> str:
    return render(
        "entry",
        label=entry.label,
        title=one_line(entry.title, TITLE_TOKENS),
        family=one_line(entry.family, 10),
        hypothesis=quoted("HYPOTHESIS: " + entry.hypothesis, int(HYPOTHESIS_TOKENS * share)),
        diff=quoted(entry.diff, int(DIFF_TOKENS * share)),
    )


def _own(proposal: Proposal, share: float) -> dict[str, str]:
    return {
        "title": one_line(proposal.title, TITLE_TOKENS),
        "hypothesis": quoted("HYPOTHESIS: " + proposal.hypothesis, int(HYPOTHESIS_TOKENS * share)),
        "edit": quoted(_edit_text(proposal.edit), int(EDIT_TOKENS * share)),
    }


def _edit_text(edit: Edit) -> str:
    if edit.whole is not None:
        return edit.whole
    return "\n".join(
        f"<<<<<<< SEARCH\n{block.search.rstrip(chr(10))}\n=======\n{block.replace.rstrip(chr(10))}\n>>>>>>> REPLACE"
        for block in edit.blocks
    )
