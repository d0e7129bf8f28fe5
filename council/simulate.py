"""The mechanism in a documented world: what the verdict gains, how often it fools itself, what skill intervals cover.

`report(world)` plays the same nights under the verdict as designed and under the foil that keeps and books whatever
measures below the book ("raw"), and says what came of both with 95 % intervals. The world is documented in
`docs/simulation.md`; `benchmarks/mechanism.py` prints all of it. To add a figure: a field of `Report`, a line in
`report`, a column in `table`. Needs numpy; import when used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from council.simulate_night import Mask, Nights, play
from council.simulate_world import DEFAULT, WORLDS, Array, World, draw

Z95 = 1.96
NIGHTS = 1000
BARREN_NIGHTS = 2
"""Worlds without help are played this many times as often: what matters there is rare."""
SEED = 20_261_120


@dataclass(frozen=True)
class Figure:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float

    def text(self, digits: int) -> str:
        """The estimate and the larger half of its interval."""
        return f"{self.value:.{digits}f}±{max(self.high - self.value, self.value - self.low):.{digits}f}"


@dataclass(frozen=True)
class Report:
    """One world. Gains in mBPB, `booked` in σ; shares of nights, of kept edits (`false_keeps`) and of members.

    `ahead` is design minus raw, night by night. `worse`: the true gain at the end is below 0; `much_worse`: by more
    than σ/2. `booked`: believed beyond the truth at the end. `claims`: confirmed without a true gain. `missed`: a true
    gain above σ that was not confirmed. `covered`: skill intervals (90 %) that hold the member's true skill;
    `covered_realised`: that hold the worth of what it happened to propose. `helping`: nights at whose end the judges
    are said to help, `shown`: even by the sceptic. `half`, `spread`: half-width of the skill intervals and standard
    deviation of the true skills, in σ per experiment.
    """

    world: World
    nights: int
    design: Figure
    raw: Figure
    ahead: Figure
    worse: Figure
    worse_raw: Figure
    much_worse: Figure
    much_worse_raw: Figure
    false_keeps: Figure
    false_keeps_raw: Figure
    booked: Figure
    booked_raw: Figure
    on_baseline: Figure
    confirmed: Figure
    claims: Figure
    missed: Figure
    covered: Figure
    covered_realised: Figure
    helping: Figure
    shown: Figure
    half: float
    spread: float


def mean(values: Array) -> Figure:
    """Mean over nights with its normal interval."""
    at = float(values.mean())
    half = Z95 * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Figure(at, at - half, at + half)


def share(hits: Mask) -> Figure:
    """Share of nights with its score interval (Wilson)."""
    n, p, z2 = len(hits), float(hits.mean()), Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Figure(p, min(p, centre - half), max(p, centre + half))


def ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Figure:
    """Sum over sum, nights as clusters (linearised)."""
    at = float(part.sum()) / max(float(whole.sum()), 1.0)
    half = mean((part - at * whole) / max(float(whole.mean()), 1e-12))
    return Figure(at, at - (half.value - half.low), at + (half.high - half.value))


def report(world: World, nights: int = NIGHTS, seed: int = SEED) -> Report:
    """Play `nights` nights of a world under both verdicts on the same draws."""
    draws = draw(world, nights, seed)
    design, raw = play(world, draws), play(world, draws, verdict="raw", skills=False)
    bad = -0.5 * world.sigma
    claims, missed = design.confirmed & (design.gain <= 0), ~design.confirmed & (design.gain > world.sigma)
    return Report(
        world,
        nights,
        mean(design.gain),
        mean(raw.gain),
        mean(design.gain - raw.gain),
        share(design.gain < 0),
        share(raw.gain < 0),
        share(design.gain < bad),
        share(raw.gain < bad),
        ratio(design.false_kept, design.kept),
        ratio(raw.false_kept, raw.kept),
        mean(design.booked / world.sigma),
        mean(raw.booked / world.sigma),
        share(design.baseline),
        share(design.confirmed),
        share(claims),
        share(missed),
        mean(_covers(design, design.truth)),
        mean(_covers(design, design.realised)),
        share(design.helping),
        share(design.shown),
        float(design.half.mean()),
        float(design.truth.std()),
    )


def _covers(nights: Nights, truth: Array) -> Array:
    """Per night the share of members whose interval holds the truth."""
    return np.asarray((np.abs(nights.skill - truth) <= nights.half).mean(axis=1))


def reports(
    worlds: Iterable[World] = WORLDS,
    nights: int = NIGHTS,
    seed: int = SEED,
    say: Callable[[str], None] = lambda _: None,
) -> list[Report]:
    """All worlds; `say` hears the name of each before it is played."""
    found = []
    for world in worlds:
        say(world.name)
        found.append(report(world, nights * (1 if world.helps else BARREN_NIGHTS), seed))
    return found


def picks(world: World = DEFAULT, nights: int = NIGHTS, seed: int = SEED) -> dict[str, Figure]:
    """True gain under each way to pick, the verdict as designed, on the same draws."""
    draws = draw(world, nights, seed)
    gains = {pick: play(world, draws, pick=pick, skills=False).gain for pick in ("forecast", "borda", "random")}
    ahead = {f"forecast − {pick}": mean(gains["forecast"] - gains[pick]) for pick in ("borda", "random")}
    return {pick: mean(gain) for pick, gain in gains.items()} | ahead


@dataclass(frozen=True)
class Finding:
    """Something the mechanism must do, and what the world furthest from doing it shows, with its 95 % interval.

    `state`: kept (the estimate does), open (it does not, but its interval reaches there), broken (neither).
    """

    what: str
    state: str
    world: str
    figure: Figure


def findings(found: Sequence[Report]) -> list[Finding]:
    """The four promises of the mechanism, each judged by its worst world."""
    helping, barren = [r for r in found if r.world.helps], [r for r in found if not r.world.helps]
    rules: list[tuple[str, Sequence[Report], Callable[[Report], Figure], float, int]] = [
        ("design − raw ≥ 0 mBPB where edits can help", helping, lambda r: r.ahead, 0.0, 1),
        ("nights worse than the baseline by > .5 σ ≤ .10 where none can", barren, lambda r: r.much_worse, 0.1, -1),
        ("false claims at closing ≤ .10", found, lambda r: r.claims, 0.1, -1),
        ("skill intervals cover ≥ .88", found, lambda r: r.covered, 0.88, 1),
    ]
    done = []
    for what, among, of, bound, sign in rules:
        if among:
            worst = min(among, key=lambda r: sign * of(r).value)
            figure = of(worst)
            best_case = figure.high if sign > 0 else figure.low
            met, may = sign * (figure.value - bound) >= 0, sign * (best_case - bound) >= 0
            done.append(Finding(what, "kept" if met else "open" if may else "broken", worst.world.name, figure))
    return done


NIGHT_HEAD = ("world", "nights", "design", "raw", "design−raw", "worse", "raw", ">.5σ", "raw") + (
    *("false keeps", "raw", "booked", "raw"),
)
END_HEAD = ("world", "on baseline", "confirmed", "false claims", "missed") + (
    *("skill cover", "realised", "half", "spread", "judges help", "shown"),
)


def table(found: Sequence[Report]) -> str:
    """Two tables as plain text: what the verdict does to a night, and what is claimed at its end."""
    night: list[tuple[str, ...]] = [NIGHT_HEAD]
    end: list[tuple[str, ...]] = [END_HEAD]
    for r in found:
        gains = (r.design.text(2), r.raw.text(2), r.ahead.text(2))
        worse = (r.worse.text(2), f"{r.worse_raw.value:.2f}", r.much_worse.text(3), f"{r.much_worse_raw.value:.3f}")
        keeps = (r.false_keeps.text(2), f"{r.false_keeps_raw.value:.2f}")
        night.append(
            (r.world.name, str(r.nights), *gains, *worse, *keeps, r.booked.text(2), f"{r.booked_raw.value:.2f}")
        )
        shares = (r.on_baseline.text(2), r.confirmed.text(2), r.claims.text(3), r.missed.text(3))
        skill = (
            r.covered.text(3),
            r.covered_realised.text(3),
            f"{r.half:.2f}",
            f"{r.spread:.2f}",
            r.helping.text(2),
            r.shown.text(2),
        )
        end.append((r.world.name, *shares, *skill))
    return "\n".join(
        [
            "True gain over the baseline at a night's end (mBPB), verdict as designed and raw; ± half a 95 % interval.",
            "worse: share of nights that end worse than the baseline; booked: believed beyond the truth (σ).",
            *_grid(night),
            "",
            "The night's end, verdict as designed: three closing pairs, and 90 % skill intervals (σ per experiment).",
            *_grid(end),
        ]
    )


def _grid(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
