"""What was tried, told so that the telling stays short and its beginning stays the same.

What: `eras` tells everything that was tried on earlier codes, one line per family and incumbent; `since` sums up the
rounds on the present code that are more than ten back, one line per family; `recent` lists the last ten rounds. Why:
providers charge a tenth for a prefix they have seen; `eras` changes only at a keep, so everything up to its end is such
a prefix, and the night's hundredth prompt is hardly longer than its tenth. How to extend: a fact about one experiment
goes into `_line`; watch the limits, which tests hold to 80 % of unchanged tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from council import tokens
from council.members.prompt_text import one_line
from council.types import FAMILIES, Brief, Past

RECENT_ROUNDS = 10
TITLE_TOKENS = (40, 28, 18, 10, 6, 0)
"""How many tokens of a title a line shows; the first length at which all fits is taken."""
SHAPES = ((4, 40), (4, 28), (3, 24), (2, 24), (2, 18), (1, 18))
"""How many titles a family's line in an era shows, and how many tokens of each; then the oldest eras merge."""
MERGED = ((2, 18), (2, 12), (1, 18), (1, 10), (0, 0))
LEAST_ERAS = 4
"""Eras that stay apart while merging the older ones leaves more of the titles."""
NOTHING = "Nothing yet."


@dataclass(frozen=True)
class Era:
    """Edits tried on one code, one after another."""

    name: str
    tried: tuple[Past, ...]


def split(brief: Brief) -> tuple[list[Era], list[Past]]:
    """(what was tried on codes before the present one, what was tried on the present one)."""
    groups: list[tuple[int, list[Past]]] = []
    kept = 0
    for past in brief.history:
        if past.role in ("baseline", "replicate", "closing"):
            continue
        on = kept if past.on is None else past.on
        if not groups or groups[-1][0] != on:
            groups.append((on, []))
        groups[-1][1].append(past)
        kept = past.number if past.verdict == "keep" else kept
    incumbent = kept if brief.incumbent is None else brief.incumbent
    present = groups.pop()[1] if groups and groups[-1][0] == incumbent else []
    return [Era(f"x{on}" if on else "the baseline", tuple(tried)) for on, tried in groups], present


def went_back(brief: Brief) -> bool:
    """Whether something was kept and the present code is the baseline all the same."""
    return brief.incumbent == 0 and any(past.verdict == "keep" for past in brief.history)


def eras(brief: Brief, limit: int) -> str:
    """Everything that was tried on earlier codes, in at most `limit` tokens: the oldest eras merge first."""
    done, _ = split(brief)
    if not done:
        return NOTHING
    for shape in SHAPES:
        if tokens.count(text := _told(done, shape)) <= limit:
            return text
    for least in (LEAST_ERAS, 1):
        for shape in MERGED[: 3 if least > 1 else None]:
            for merged in range(2, len(done) - least + 2):
                old = Era("the codes before", tuple(past for era in done[:merged] for past in era.tried))
                if tokens.count(text := _told([old, *done[merged:]], shape)) <= limit:
                    return text
    return tokens.clip(_told([Era("earlier codes", tuple(p for era in done for p in era.tried))], (0, 0)), limit)


def since(brief: Brief, limit: int) -> str:
    """The edits tried on the present code more than ten rounds ago, by family, in at most `limit` tokens."""
    _, tried = split(brief)
    older = [past for past in tried if past.round < brief.round - RECENT_ROUNDS]
    if not older:
        return "Nothing but what the last ten rounds below show." if tried else NOTHING
    for shape in (*((1, size) for size in TITLE_TOKENS[:-1]), (0, 0), (-1, 0)):
        if tokens.count(text := "\n".join(_families(older, shape))) <= limit:
            return text
    return tokens.clip(text, limit)


def recent(brief: Brief, limit: int) -> str:
    """Every experiment of the last ten rounds, in at most `limit` tokens: shorter titles first, then the oldest go."""
    first = brief.round - RECENT_ROUNDS
    shown = [past for past in brief.history if past.round >= first and past.role != "baseline"]
    if not shown:
        return NOTHING
    for size in TITLE_TOKENS[:-1]:
        if tokens.count(text := "\n".join(_line(past, size) for past in shown)) <= limit:
            return text
    while len(shown) > 1 and tokens.count(text) > limit:
        shown = shown[1:]
        text = "\n".join(_line(past, TITLE_TOKENS[-2]) for past in shown)
    return tokens.clip(text, limit)


def _told(done: Sequence[Era], shape: tuple[int, int]) -> str:
    return "\n".join(line for era in done for line in (f"On {era.name}:", *_families(era.tried, shape)))


def _families(tried: Sequence[Past], shape: tuple[int, int]) -> list[str]:
    groups: dict[str, list[Past]] = {}
    for past in tried:
        groups.setdefault(past.family if past.family in FAMILIES else "other", []).append(past)
    return [_family(name, groups[name], *shape) for name in FAMILIES if name in groups]


def _family(name: str, tried: Sequence[Past], titles: int, size: int) -> str:
    """`- schedule: 4 tried; kept +1.2 σ x7 "longer warmdown"; worst −0.8 σ; 1 failed; also x9 −0.1 σ "no warmdown"`."""
    measured = [past for past in tried if past.sigmas is not None]
    kept = [past for past in tried if past.verdict == "keep"]
    parts, best = [f"- {name}: {len(tried)} tried"], None
    if measured:
        best = max(kept or measured, key=lambda past: past.sigmas or 0.0)
        worst = min(measured, key=lambda past: past.sigmas or 0.0)
        title = f' "{one_line(best.title, size)}"' if titles > 0 else ""
        word = f"{len(kept)} kept, best" if len(kept) > 1 else "kept" if kept else "best"
        parts.append(f"{word} {_sigmas(best)} x{best.number}{title}")
        if len(measured) > 1 and titles >= 0:  # the shortest telling leaves the worst out
            parts.append(f"worst {_sigmas(worst)}")
    if failed := len(tried) - len(measured):
        parts.append(f"{failed} failed")
    others = sorted((past for past in tried if past is not best), key=lambda past: (past.sigmas is None, -past.number))
    told = others[: max(0, titles - (best is not None))]
    also = [
        f'x{p.number} {_sigmas(p) if p.sigmas is not None else p.verdict} "{one_line(p.title, size)}"' for p in told
    ]
    return "; ".join([*parts, *([f"also {', '.join(also)}"] if also else [])])


def _line(past: Past, size: int) -> str:
    """`- r57 x61 schedule, yours: −0.4 σ, discard: "longer warmdown"`."""
    if past.role in ("replicate", "closing"):
        ran = f"{past.bpb:.5f}" if past.bpb is not None else "failed"
        return f"- r{past.round} x{past.number}: the same code on a fresh seed: {ran}"
    head = f"- r{past.round} x{past.number} {past.family if past.family in FAMILIES else 'other'}"
    if past.role in ("repair", "runner_up"):
        head += f" ({past.role.replace('_', '-')})"
    if past.mine:
        head += ", yours"
    said = [_sigmas(past) if past.sigmas is not None else "", past.verdict or "not measured"]
    if past.bpb is None and past.reason.strip():  # the code that ran may have chosen these words
        said.append(f'"{one_line(past.reason.strip().splitlines()[0], min(size, 16))}"')
    return f'{head}: {", ".join(part for part in said if part)}: "{one_line(past.title, size)}"'


def _sigmas(past: Past) -> str:
    return f"{past.sigmas or 0.0:+.1f} σ".replace("-", "−")
