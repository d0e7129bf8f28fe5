"""The world that `council simulate` plays the mechanism in: who proposes what, what it does, what judges see of it.

`World` holds the assumptions, `draw` everything that chance decides in advance for many nights, so that two arms of a
comparison meet the same proposals, the same judges and the same noise. Amounts are in mBPB (0.001 BPB), gains positive.
`docs/simulation.md` documents every assumption. To add a world: one line in WORLDS. Needs numpy; import when used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CRASH = 0.05
"""Chance that an edit crashes."""
NEUTRAL = 1 / 3
"""Share of the edits that neither help nor crash which hardly matter; the others harm."""
NEUTRAL_SD, HARM = 0.15, 1.5
"""Neutral gains are N(0, .15²), harmful ones −1.5 · lognormal(0, 1), in mBPB."""
RATE_SD, SIZE_SD = 0.35, 0.20
"""Spread over members of the log-odds of a helpful edit, and of the log of its mean gain."""
TIRING = 20.0
"""mBPB of true gain over which what is left to gain falls by a factor e."""
SHARED = 0.30
"""Share of the variance of a judge's error that all judges have in common."""
SKILL_RANK = 0.5
"""Rank correlation between a member's insight as a judge and its skill as a proposer."""
OWN, OWN_SD, FIRST = 0.6, 0.3, 0.15
"""What a judge adds to its signal for its own proposal (mean and spread over judges) and for the first on its slate."""
OPTIMISM, OPTIMISM_SD, LOUDNESS, LOUDNESS_SD = 0.8, 0.5, 0.3, 0.4
"""Reported log-odds: N(.8, .5²) per judge plus lognormal(.3, .4) per judge times the signal."""
STEP = 0.05
"""Forecasts are multiples of this, from .05 to .95."""
SEEN_LOW, SEEN_HIGH = -2.0, 3.0
"""A judge sees quality between these gains (mBPB at the usual size of gains); a crash is the lowest."""
USUAL_GAIN = 1.8
PAIRS = 3
LEVELS = (np.arange(16) + 0.5) / 16
"""Where a distribution is cut to take means over it."""
_NORMAL = np.array([NormalDist().inv_cdf(float(p)) for p in LEVELS])
HELPFUL, SLIGHT, HARMFUL = -np.log1p(-LEVELS), NEUTRAL_SD * _NORMAL, -HARM * np.exp(_NORMAL)
"""Helpful gains in units of a member's mean, neutral and harmful ones in mBPB, one per level."""


@dataclass(frozen=True)
class World:
    """Assumptions of one world. `helps`: edits can help, so the verdict should gain; `sigma` and `gain` in mBPB.

    `rate` is the helpful share of an average member's edits at the start, `insight` the range of judges' correlation
    with the truth, `nothing` makes every edit that does not crash change nothing at all (and none crash).
    """

    name: str
    rounds: int = 100
    members: int = 5
    sigma: float = 1.0
    rate: float = 0.22
    gain: float = USUAL_GAIN
    insight: tuple[float, float] = (0.15, 0.5)
    nothing: bool = False

    @property
    def helps(self) -> bool:
        """Whether any edit can help on purpose."""
        return self.rate > 0 and not self.nothing


DEFAULT = World("default")
USELESS = (0.0, 0.02)
WORLDS: tuple[World, ...] = (
    DEFAULT,
    replace(DEFAULT, name="useless", insight=USELESS),
    replace(DEFAULT, name="good", insight=(0.4, 0.7)),
    replace(DEFAULT, name="h10", rate=0.10),
    replace(DEFAULT, name="h05 useless", rate=0.05, insight=USELESS),
    replace(DEFAULT, name="h02", rate=0.02),
    replace(DEFAULT, name="h02 useless", rate=0.02, insight=USELESS),
    replace(DEFAULT, name="h00 useless", rate=0.0, insight=USELESS),
    replace(DEFAULT, name="null", rate=0.0, insight=USELESS, nothing=True),
    replace(DEFAULT, name="s.5", sigma=0.5),
    replace(DEFAULT, name="s2", sigma=2.0),
    replace(DEFAULT, name="cpu5 T10", sigma=0.36, rounds=10),
    replace(DEFAULT, name="cpu5 T30", sigma=0.36, rounds=30),
    replace(DEFAULT, name="g5 T10", gain=5.0, rounds=10),
    replace(DEFAULT, name="g5 T30", gain=5.0, rounds=30),
    replace(DEFAULT, name="T30", rounds=30),
)
"""What the benchmark plays: judges good and useless, edits that help often, seldom and never, quiet and noisy labs."""


@dataclass(frozen=True, eq=False)
class Draws:
    """Chance of N nights of T rounds with M members who all propose and judge; uniform (u) or standard normal (n).

    `rate`, `size` (N×M): each member's helpful share and mean gain. `kind` u, `split` u, `exp` Exp(1), `flat` n,
    `harm` lognormal (N×T×M): what each proposal is. `insight`, `own`, `optimism`, `loudness` (N×M): each judge.
    `shared` n (N×T×M), `error` n (N×T×J×M): what it sees. `first` (N×T×J): which proposal stands first on its slate.
    `tie` u (N×T×M). `run` n (N×T), `base` n (N×2), `close` n (N×2×pairs): noise of the measurements.
    """

    rate: Array
    size: Array
    kind: Array
    split: Array
    exp: Array
    flat: Array
    harm: Array
    insight: Array
    own: Array
    optimism: Array
    loudness: Array
    shared: Array
    error: Array
    first: NDArray[np.int64]
    tie: Array
    run: Array
    base: Array
    close: Array


def draw(world: World, nights: int, seed: int) -> Draws:
    """Everything chance decides in `nights` nights; the same seed gives the same nights."""
    rng = np.random.default_rng(seed)
    n, t, m = nights, world.rounds, world.members
    rate_z, size_z = rng.standard_normal((n, m)), rng.standard_normal((n, m))
    if world.rate > 0:
        rate = 1 / (1 + np.exp(-(math.log(world.rate / (1 - world.rate)) + RATE_SD * rate_z)))
    else:
        rate = np.zeros((n, m))
    others = rng.integers(m - 1, size=(n, t, m))
    return Draws(
        rate=rate,
        size=world.gain * np.exp(SIZE_SD * size_z),
        kind=rng.random((n, t, m)),
        split=rng.random((n, t, m)),
        exp=rng.exponential(size=(n, t, m)),
        flat=rng.standard_normal((n, t, m)),
        harm=np.exp(rng.standard_normal((n, t, m))),
        insight=_insight(world, rate_z, size_z, rng.standard_normal((n, m))),
        own=OWN + OWN_SD * rng.standard_normal((n, m)),
        optimism=OPTIMISM + OPTIMISM_SD * rng.standard_normal((n, m)),
        loudness=np.exp(LOUDNESS + LOUDNESS_SD * rng.standard_normal((n, m))),
        shared=rng.standard_normal((n, t, m)),
        error=rng.standard_normal((n, t, m, m)),
        first=others + (others >= np.arange(m)),
        tie=rng.random((n, t, m)),
        run=rng.standard_normal((n, t)),
        base=rng.standard_normal((n, 2)),
        close=rng.standard_normal((n, 2, PAIRS)),
    )


def _insight(world: World, rate_z: Array, size_z: Array, free: Array) -> Array:
    """Uniform in the world's range, rank-correlated with skill (log of rate times size) by a normal copula (N×M)."""
    weight = (1 - world.rate) * RATE_SD
    skill = (weight * rate_z + SIZE_SD * size_z) / math.hypot(weight, SIZE_SD)
    r = 2 * math.sin(math.pi * SKILL_RANK / 6)  # the normal correlation whose rank correlation is SKILL_RANK
    uniform = phi(r * skill + math.sqrt(1 - r * r) * free)
    low, high = world.insight
    return low + (high - low) * uniform


_GRID = np.linspace(-8, 8, 16_385)
_PHI = np.array([NormalDist().cdf(float(x)) for x in _GRID])


def phi(x: Array) -> Array:
    """The standard normal distribution function, elementwise, from a table (error below 3e-8)."""
    return np.asarray(np.interp(x, _GRID, _PHI))


def chances(world: World, draws: Draws, so_far: Array) -> tuple[Array, Array]:
    """What share of each member's edits helps now (N×M), and how much of the first round's gains is left (N×1)."""
    left = np.exp(-so_far / TIRING)[:, None]
    return np.minimum(draws.rate * np.sqrt(left), 1 - CRASH), left


def gains(world: World, draws: Draws, t: int, so_far: Array) -> tuple[Array, NDArray[np.bool_]]:
    """True gains of round t's proposals and which of them crash (both N×M), given the true gain so far (N)."""
    crash = draws.kind[:, t] > 1 - CRASH
    if world.nothing:
        return np.zeros_like(draws.kind[:, t]), np.zeros_like(crash)
    rate, left = chances(world, draws, so_far)
    helpful = draws.kind[:, t] < rate
    rest = np.where(draws.split[:, t] < NEUTRAL, NEUTRAL_SD * draws.flat[:, t], -HARM * draws.harm[:, t])
    return np.where(helpful, left * draws.size * draws.exp[:, t], rest), crash


def quality(world: World, gain: Array, crash: NDArray[np.bool_]) -> Array:
    """What there is to see of a proposal: its gain between two bounds, a crash at the lower one."""
    scale = max(1.0, world.gain / USUAL_GAIN)
    return np.where(crash, SEEN_LOW * scale, np.clip(gain, SEEN_LOW * scale, SEEN_HIGH * scale))


def usual(world: World) -> tuple[float, float]:
    """Mean and standard deviation of quality over the proposals of first rounds: a fixed sample of 20,000 nights."""
    many = draw(replace(world, rounds=1), 20_000, seed=0)
    found = quality(world, *gains(world, many, 0, np.zeros(20_000)))
    return float(found.mean()), float(found.std())


def forecasts(world: World, draws: Draws, t: int, seen: Array) -> tuple[Array, Array]:
    """Signals and forecasts in round t (both N×J×M, judge before proposal) of proposals of standardised quality
    `seen` (N×M): ρ of the truth, the rest error of which a share is common, and what bends a judge."""
    rho = draws.insight[:, :, None]
    error = math.sqrt(SHARED) * draws.shared[:, t, None, :] + math.sqrt(1 - SHARED) * draws.error[:, t]
    members = np.arange(world.members)
    signal = rho * seen[:, None, :] + np.sqrt(1 - rho**2) * error
    signal = signal + draws.own[:, :, None] * np.eye(world.members) + FIRST * (draws.first[:, t, :, None] == members)
    logits = draws.optimism[:, :, None] + draws.loudness[:, :, None] * signal
    return signal, np.clip(np.round(1 / (1 + np.exp(-logits)) / STEP) * STEP, STEP, 1 - STEP)
