"""The book: what we believe of the incumbent, and how each measurement changes it.

An edit is kept when the council's expectation and the measurement together make it a gain; what is booked is what we
then believe, not what was measured; an incumbent no better than the baseline goes back to it. Lower BPB is better.
Formulas and worked numbers: `docs/mechanism.md`. All functions are pure; variances are in BPB².
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from council.types import Book, Kind, Verdict

PRIOR_WEIGHT = 4
"""How many degrees of freedom the lab's own noise figure s0 counts for."""
P_KEEP = 0.5
"""Belief in a true gain above which a trial is kept."""


def pooled_variance(s0: float, runs: Iterable[Sequence[float]]) -> float:
    """σ²: variance of BPB over runs of the same code. `runs` holds, per code, BPBs that did not decide its keeping."""
    squares, freedom = PRIOR_WEIGHT * s0**2, PRIOR_WEIGHT
    for values in runs:
        if values:
            mean = sum(values) / len(values)
            squares += sum((x - mean) ** 2 for x in values)
            freedom += len(values) - 1
    return squares / freedom


def start(commit: str, values: Sequence[float], sigma2: float) -> Book:
    """The book after the baseline runs: the baseline is the incumbent. Needs at least two runs."""
    mean = sum(values) / len(values)
    return Book(commit, mean, sigma2 / len(values), mean, sigma2 / len(values))


@dataclass(frozen=True)
class Judged:
    """The verdict on a measurement and the book after it, before any going back."""

    verdict: Verdict
    book: Book


def trial(book: Book, sigma2: float, y: float, score: float | None, commit: str, p_keep: float = P_KEEP) -> Judged:
    """Keep or discard an edit measured at `y` BPB whose expected gain is `score` σ (None: the rule gives none)."""
    sigma = math.sqrt(sigma2)
    d = book.b - y
    m = sigma * min(max(score or 0.0, -2.0), 0.0)
    s = book.v + 2 * sigma2
    i = d - m
    g = m + sigma2 / s * i
    belief = _phi(g / (sigma * math.sqrt(1 - sigma2 / s)))
    if d > 0 and belief > p_keep:
        kind = Kind.KEEP
        b = book.b - max(m + (book.v + sigma2) / s * i, d - sigma)
        after = replace(book, commit=commit, b=b, v=(book.v + sigma2) * sigma2 / s)
    else:
        kind = Kind.DISCARD
        shift = min(max(book.v / s * i, -0.25 * sigma), 0.25 * sigma)
        after = replace(book, b=book.b - shift, v=book.v * (1 - book.v / s))
    verdict = Verdict(
        kind,
        _reason(kind, d, d / sigma, g),
        bpb=y,
        booked_before=book.b,
        delta=d,
        sigmas=d / sigma,
        expected=g,
        belief=belief,
        inputs={"b": book.b, "v": book.v, "sigma2": sigma2, "score": score, "m": m, "p_keep": p_keep},
    )
    return Judged(verdict, after)


def replicate(book: Book, sigma2: float, y: float, baseline: Sequence[float] | None) -> Book:
    """The book after the incumbent ran again on a fresh seed.

    `sigma2` already includes this run. `baseline` holds all the baseline's runs if the incumbent is the baseline.
    """
    gain = book.v / (book.v + sigma2)
    after = replace(book, b=book.b + gain * (y - book.b), v=book.v * (1 - gain))
    if baseline:
        after = replace(after, b_base=sum(baseline) / len(baseline), v_base=sigma2 / len(baseline))
    return after


def back(book: Book, baseline: str) -> Book | None:
    """The book after returning to the baseline, or None if the incumbent is it or still beats it."""
    if book.commit == baseline or book.b <= book.b_base:
        return None
    return replace(book, commit=baseline, b=book.b_base, v=book.v_base)


def _phi(x: float) -> float:
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def _reason(kind: Kind, d: float, sigmas: float, g: float) -> str:
    where = "below" if d > 0 else "above"
    size = f"measured {abs(d):.4f} ({abs(sigmas):.1f} σ) {where} the book"
    if kind is Kind.KEEP:
        return f"{size}: kept; believed gain {g:.4f}; unconfirmed"
    return f"{size}: discarded" + ("; the council expected worse, and together that is no gain" if d > 0 else "")
