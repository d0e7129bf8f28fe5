"""The mechanism in a documented world: what the verdict gains, how often it fools itself, what skill intervals cover.

`report(world)` plays the same nights under the verdict as designed and under the foil that keeps and books whatever
measures below the book ("raw"), and says what came of both with 95 % intervals. The world is documented in
`docs/simulation.md`; `council simulate` and `benchmarks/mechanism.py` print it through `council/simulate_table.py`. To
add a figure: a field of `Report`, a line in `report`, a column there. Needs numpy; import when used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from council.simulate_night import Mask, Nights, play
from council.simulate_picks import PICKS
from council.simulate_world import DEFAULT, WORLDS, Array, World, draw

Z95 = 1.96
NIGHTS = 1000
SEED = 20_261_120
MOST = 2_000_000
"""Most experiments of one world, nights times rounds: they take about a gigabyte of memory."""
BARREN_NIGHTS, SHORT_NIGHTS = 2, {10: 20, 30: 10}
"""How many times as many nights the benchmark plays where nothing can help, since what matters there is rare, and, by
number of rounds, where nights cost little and the verdict hardly matters."""


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


def plan(nights: int = NIGHTS) -> list[tuple[World, int]]:
    """What the benchmark plays: every world, and how many nights of it."""
    return [(w, nights * (SHORT_NIGHTS.get(w.rounds, 1) if w.helps else BARREN_NIGHTS)) for w in WORLDS]


def reports(
    plan: Iterable[tuple[World, int]], seed: int = SEED, say: Callable[[str], None] = lambda _: None
) -> list[Report]:
    """Each world with its number of nights; `say` hears the name of each before it is played."""
    found = []
    for world, nights in plan:
        say(world.name)
        found.append(report(world, nights, seed))
    return found


@dataclass(frozen=True)
class Picks:
    """True gain in mBPB by way to pick, the verdict as designed; `ahead`: the first less each other, night by night."""

    world: str
    nights: int
    gains: dict[str, Figure]
    ahead: dict[str, Figure]


def picks(world: World = DEFAULT, nights: int = NIGHTS, seed: int = SEED, ways: Sequence[str] = PICKS) -> Picks:
    """The same draws under each way to pick."""
    draws = draw(world, nights, seed)
    gains = {way: play(world, draws, pick=way, skills=False).gain for way in ways}
    ahead = {f"{ways[0]} − {way}": mean(gains[ways[0]] - gains[way]) for way in ways[1:]}
    return Picks(world.name, nights, {way: mean(gain) for way, gain in gains.items()}, ahead)


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
