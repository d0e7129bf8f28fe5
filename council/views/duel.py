"""Two members side by side, paired by round; and what two sessions may be said to differ by.

Pairing takes out what a round was like: both members saw the same brief, and the same judges saw both proposals. Means
carry 90 % intervals; what was measured of each is shown but not compared, because only what was picked ran. How to
extend: a new figure is a field of Duel, and a line in `council/cli/compare.py`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from council import refit
from council.errors import UsageError
from council.judge.forecast import Round, score
from council.judge.meters import Meter, mean_of
from council.judge.reputation import Z90, Interval
from council.judge.student import quantile
from council.views import leaderboard
from council.views.leaderboard import Standing
from council.views.words import clean

if TYPE_CHECKING:
    from council.store import Store

Row = dict[str, Any]


@dataclass(frozen=True)
class Duel:
    """Two members. Every Meter is A less B over the rounds in which both stood.

    `expected`: σ the regression expects of their edits; `ranked`: share of the third judges that rank A above B, less
    one half; `brier`: squared error of their forecasts of the same third proposals (below 0 is better for A).
    """

    a: Standing
    b: Standing
    rounds: int
    picked: tuple[int, int]
    expected: Interval | None
    ranked: Meter
    brier: Meter


def members(store: Store, a: str, b: str, session: str | None = None) -> Duel:
    """Compare two members of the named session, or over all that compare with the last one."""
    board = leaderboard.read(store, session)
    found = {m.name: m for m in reversed(board.members)}
    for name in (a, b):
        if name not in found:
            known = ", ".join(clean(n, 40) for n in sorted(found))
            raise UsageError(f"no session and no member is called {clean(name, 60)!r}", hint=f"Members: {known}.")
    ids = [r["id"] for r in store.query("SELECT id, name FROM sessions ORDER BY id") if r["name"] in board.pooled]
    nights = [refit.rounds(store, one) for one in ids]
    both = [one for night in nights for one in night if {a, b} <= set(one.authors.values())]
    picks = [p for one in ids for p in _picks(store, one)]
    own = [{who: p for p, who in one.authors.items()} for one in both]
    return Duel(
        a=found[a],
        b=found[b],
        rounds=len(both),
        picked=(sum(o[a] in picks for o in own), sum(o[b] in picks for o in own)),
        expected=_expected(nights, a, b),
        ranked=mean_of([x for one, o in zip(both, own, strict=True) for x in _ranked(one, o[a], o[b], (a, b))]),
        brier=_brier(nights, a, b),
    )


def _picks(store: Store, session: int) -> list[int]:
    return [r["pick"] for r in store.query("SELECT pick FROM tallies WHERE session = ?", session)]


def _expected(nights: Sequence[Sequence[Round]], a: str, b: str) -> Interval | None:
    """Mean difference of phi over the shared rounds, times the posterior; members by name here."""
    every = [one for night in nights for one in night]
    names = {who for one in every for who in one.authors.values()}
    state = refit.refit(nights, {f.judge for one in every for f in one.forecasts}, names)
    if not state.settled:
        return None
    gaps = []
    for night in nights:
        seen = refit.refit([[]], state.judges, state.members)
        for one in night:
            scored = score(seen, one.authors, one.forecasts)
            seen, own = scored.state, {who: p for p, who in one.authors.items()}
            if a in own and b in own:
                gaps.append(np.array(scored.phis[own[a]]) - np.array(scored.phis[own[b]]))
    if not gaps:
        return None
    c = np.mean(gaps, axis=0)
    value, half = float(c @ state.mean), Z90 * math.sqrt(max(0.0, float(c @ state.cov @ c)))
    return Interval(value, value - half, value + half)


def _ranked(one: Round, mine: int, other: int, who: tuple[str, str]) -> list[float]:
    """The share of judges, the two left out, whose forecast of the first is higher, less one half; ties count half."""
    table: dict[str, dict[int, float]] = defaultdict(dict)
    for f in one.forecasts:
        table[f.judge][f.proposal] = f.p
    votes = [
        0.5 * (1 + (row[mine] > row[other]) - (row[mine] < row[other]))
        for judge, row in table.items()
        if judge not in who and mine in row and other in row
    ]
    return [sum(votes) / len(votes) - 0.5] if votes else []


def _brier(nights: Sequence[Sequence[Round]], a: str, b: str) -> Meter:
    gaps = []
    for one in (one for night in nights for one in night):
        hit = {p: float(r > 0) for p, r in one.settled}
        said = {(f.judge, f.proposal): f.p for f in one.forecasts if not f.own}
        for p, y in hit.items():
            if (a, p) in said and (b, p) in said:
                gaps.append((said[a, p] - y) ** 2 - (said[b, p] - y) ** 2)
    return mean_of(gaps)


@dataclass(frozen=True)
class Confirmed:
    """What the last closing of a session says: the gain with its two-sided 90 % interval."""

    gain: Interval
    pairs: int
    sigma: float
    freedom: int
    confirmed: bool


def confirmed(store: Store, session: int) -> Confirmed | None:
    """The last closing of a session, if one was held."""
    row = store.one("closings", order="id DESC", session=session)
    if row is None:
        return None
    nu = int(row["inputs"]["freedom"])
    half = quantile(0.95, nu) * row["sigma"] * math.sqrt(2 / row["pairs"])
    gain = Interval(row["gain"], row["gain"] - half, row["gain"] + half)
    return Confirmed(gain, row["pairs"], row["sigma"], nu, bool(row["confirmed"]))


def difference(one: Confirmed | None, other: Confirmed | None) -> Interval | None:
    """How much more the first session gained, from fresh pairs alone (Welch's interval)."""
    if one is None or other is None:
        return None
    parts = [2 * c.sigma**2 / c.pairs for c in (one, other)]
    nu = sum(parts) ** 2 / sum(v**2 / c.freedom for v, c in zip(parts, (one, other), strict=True))
    value, half = one.gain.value - other.gain.value, quantile(0.95, nu) * math.sqrt(sum(parts))
    return Interval(value, value - half, value + half)
