"""The report as Markdown, short enough for a pull request.

Foreign text is escaped so that it makes no link, mention, heading, table or HTML; diffs stand in fences longer than any
in them. How to extend: a section is a function that returns lines.
"""

from __future__ import annotations

import re

from council.views import night as view
from council.views.night import Edit, Night
from council.views.words import (
    bpb,
    clean,
    clean_lines,
    count,
    delta,
    duration,
    money,
    number,
    probability,
    sigmas,
    spent,
)
from council.views.words import symbol as sign

EDITS = 30
"""Most kept edits that are told in full."""


def report(found: Night) -> str:
    """The whole report."""
    lines = [
        f"# Council session {escape(found.status.session, 80)}",
        "",
        *(f"{escape(sentence, 900)}  " for sentence in view.summary(found)),
        "",
        *_kept(found),
        *_board(found),
        *_failed(found),
        *_cost(found),
        *_repeat(found),
    ]
    return "\n".join(lines) + "\n"


def escape(text: object, limit: int = 200) -> str:
    """Foreign text as one line that Markdown shows as it is."""
    line = re.sub(r"([\\`*_\[\]#|~<>&$])", r"\\\1", clean(text, limit))
    line = re.sub(r"^(\d+)([.)])(?=\s)", r"\1\\\2", re.sub(r"^([-+=])", r"\\\1", unlinked(line)))
    return re.sub(r"@(?=\w)", "@\u2060", line)


def unlinked(line: str) -> str:
    """The text with its addresses broken by a joiner of no width, so that no reader makes links of them."""
    return re.sub(r"(?i)\b(https?|ftp|www)(:|\.)", "\\1\u2060\\2", line)


def fence(lines: list[str], language: str = "") -> list[str]:
    """Lines as a block of code that nothing in them can close."""
    longest = max([len(run) for line in lines for run in re.findall(r"`+", line)] or [0])
    bar = "`" * max(3, longest + 1)
    return [f"{bar}{language}", *lines, bar]


def _kept(found: Night) -> list[str]:
    if not found.edits:
        return ["## Kept edits", "", "No edit was kept.", ""]
    rows = ["## Kept edits", "", "| | round | Δ BPB | Δ σ | belief | member | edit |", "|---|--:|--:|--:|--:|---|---|"]
    for edit in found.edits:
        kept = edit.kept
        figures = f"{delta(kept.delta)} | {sigmas(kept.sigmas)} | {probability(kept.belief)}"
        mark = sign("keep" if kept.standing else "back")
        rows.append(f"| {mark} | {kept.round} | {figures} | {escape(kept.member, 40)} | {escape(kept.title, 120)} |")
    rows += [
        "",
        f"Lower BPB is better; + is an improvement; {sign('back')} was undone by going back to the baseline.",
        "",
    ]
    for edit in [e for e in found.edits if e.kept.standing][-EDITS:]:
        rows += _edit(edit)
    return rows


def _edit(edit: Edit) -> list[str]:
    said = unlinked(clean(edit.kept.title, 100)).replace("&", "&amp;").replace("<", "&lt;")
    title = f"Round {edit.kept.round}: {said}"
    again = ", ".join(f"x{n} {bpb(value)}" for n, _, value in edit.again) or "not run again"
    return [
        f"<details><summary>{title}</summary>",
        "",
        escape(edit.hypothesis, 1200),
        "",
        f"Measured {bpb(edit.kept.bpb)}; the same code again: {again}.",
        "",
        *fence(clean_lines(edit.diff, 120, 240), "diff"),
        "",
        "</details>",
        "",
    ]


def _board(found: Night) -> list[str]:
    rows = ["## Leaderboard", "", "| member | proposed | ran | kept | Brier | cost |", "|---|--:|--:|--:|--:|--:|"]
    for m in found.board.members:
        figures = (
            f"{count(m.proposals)} | {count(m.run)} | {count(m.kept)} | {number(m.brier, 3)} | {money(m.cost_usd)}"
        )
        rows.append(f"| {escape(m.name, 40)} | {figures} |")
    return [*rows, "", "Few rounds never separate members.", ""]


def _failed(found: Night) -> list[str]:
    rows = [
        f"- {sign(f.kind)} round {f.round}, x{f.number}: {escape(f.title, 80)} ({escape(f.reason, 120)})"
        for f in found.failures.experiments[:20]
    ]
    rows += [f"- {r.count} × refused: {escape(r.reason)}" for r in found.failures.refused[:8]]
    rows += [f"- {m.count} × {escape(m.member, 40)}: {escape(m.kind, 20)}" for m in found.failures.missed[:12]]
    return ["## What failed", "", *(rows or ["Nothing failed."]), ""]


def _cost(found: Night) -> list[str]:
    costs = found.costs
    told = (
        f"{count(costs.calls)} calls cost {spent(costs.cost_usd, costs.unanswered_usd)}; the device was busy for "
        f"{duration(costs.device)} and idle for {duration(costs.idle)} of {duration(costs.wall)}."
    )
    return ["## Cost and time", "", told, ""]


def _repeat(found: Night) -> list[str]:
    repeat = found.repeat
    versions = ", ".join(f"{escape(k, 40)} {escape(v, 40)}" for k, v in repeat.versions.items())
    conditions = ", ".join(f"{escape(k, 40)} {escape(v, 80)}" for k, v in repeat.conditions.items())
    return [
        "## How to repeat it",
        "",
        f"Baseline commit `{repeat.commit}`, session seed `{repeat.seed[:16]}`, ledger head `{repeat.head[:16]}`.  ",
        f"Versions: {versions}.  ",
        f"Conditions: {conditions or 'not measured'}.",
    ]
