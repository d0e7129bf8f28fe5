"""Two members side by side, paired by round; and what two sessions may be said to differ by.

Pairing takes out what a round was like: both members saw the same brief, and the same judges saw both proposals. Means
carry 90 % intervals; what was measured of each is shown but not compared, because only what was picked ran. How to
extend: a new figure is a field of Duel, and a line in `council/cli/compare.py`.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from council import refit
from council.errors import UsageError
from council.judge import closing
from council.judge.forecast import Round, State, score
from council.judge.meters import Meter, mean_of
from council.judge.reputation import Z90, Interval, wilson
from council.judge.student import quantile
from council.views import leaderboard
from council.views.leaderboard import Standing
from council.views.words import clean

if TYPE_CHECKING:
    from council.store import Store

_BALLOTS = "SELECT b.judge, s.shown, b.ranking FROM ballots b JOIN slates s ON s.id = b.slate WHERE b.session = ?"


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
    """Compare two members of the named session, or over all that compare with the last one.

    Of a name whose model, options or prompt template changed it is the newest that counts.
    """
    board = leaderboard.read(store, session)
    ids = [r["id"] for r in store.query("SELECT id, name FROM sessions ORDER BY id") if r["name"] in board.pooled]
    newest = {name: refit.key_of(who) for (_, name), who in sorted(refit.identities(store, ids).items())}
    for name in (a, b):
        if name not in newest:
            known = ", ".join(clean(n, 40) for n in sorted(newest))
            raise UsageError(f"no session and no member is called {clean(name, 60)!r}", hint=f"Members: {known}.")
    one, other = newest[a], newest[b]
    standing = dict(zip(board.keys, board.members, strict=True))
    nights = refit.nights(store, ids)
    own = [{who: p for p, who in r.authors.items()} for night in nights for r in night]
    both = [o for o in own if one in o and other in o]
    picks = {r["pick"] for session_ in ids for r in store.query("SELECT pick FROM tallies WHERE session = ?", session_)}
    places = _places(store, ids)
    return Duel(
        a=standing[one],
        b=standing[other],
        rounds=len(both),
        picked=(sum(o[one] in picks for o in both), sum(o[other] in picks for o in both)),
        expected=_expected(refit.pooled(store, ids), nights, one, other),
        ranked=_share([x for o in both for x in _ranked(places, o[one], o[other], (one, other))]),
        brier=_brier(nights, one, other),
    )


def _expected(state: State, nights: Sequence[Sequence[Round]], a: str, b: str) -> Interval | None:
    """Mean difference of phi over the shared rounds, times the posterior."""
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


def _places(store: Store, ids: Sequence[int]) -> dict[str, dict[int, int]]:
    """Per judge, by `key_of` its identity, the place in its ranking of every proposal that it ranked."""
    who = refit.identities(store, ids)
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for session in ids:
        for row in store.query(_BALLOTS, session):
            shown = dict(json.loads(row["shown"]))
            ranked = {shown[label]: place for place, label in enumerate(json.loads(row["ranking"])) if label in shown}
            if (session, row["judge"]) in who:
                found[refit.key_of(who[session, row["judge"]])] |= ranked
    return found


def _ranked(places: dict[str, dict[int, int]], mine: int, other: int, who: tuple[str, str]) -> list[float]:
    """The share of judges, the two left out, that rank the first above the second."""
    votes = [at[mine] < at[other] for judge, at in places.items() if judge not in who and mine in at and other in at]
    return [sum(votes) / len(votes)] if votes else []


def _share(shares: Sequence[float]) -> Meter:
    """The mean share less one half, with Wilson's interval: shares vary at most as much as votes."""
    if not shares:
        return Meter(0, None, None)
    found = wilson(sum(shares), len(shares))
    return Meter(len(shares), found.value - 0.5, Interval(found.value - 0.5, found.low - 0.5, found.high - 0.5))


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
    """What fresh pairs say of the code that a session ended on: the gain with its two-sided 90 % interval.

    A session that ended on its baseline gained exactly nothing, over no pairs. From the second look on the interval is
    wider, as the closing is stricter.
    """

    gain: Interval
    pairs: int
    sigma: float
    freedom: int
    confirmed: bool
    look: int = 1


def confirmed(store: Store, session: int) -> Confirmed | None:
    """The last closing of the booked best of a session; None if that was never closed."""
    book = store.one("books", order="id DESC", session=session)
    if book is None:
        return None
    if book["commit"] == store.get("sessions", session)["commit"]:
        return Confirmed(Interval(0.0, 0.0, 0.0), 0, 0.0, 1, False)
    row = store.one("closings", order="id DESC", session=session)
    if row is None or row["inputs"]["commit"] != book["commit"]:
        return None
    nu, look = int(row["inputs"]["freedom"]), int(row["inputs"].get("look", 1))
    half = _quantile(look, nu) * row["sigma"] * math.sqrt(2 / row["pairs"])
    gain = Interval(row["gain"], row["gain"] - half, row["gain"] + half)
    return Confirmed(gain, row["pairs"], row["sigma"], nu, bool(row["confirmed"]), look)


def _quantile(look: int, nu: float) -> float:
    """Of a two-sided interval that is 90 % at the first look and as strict as the closing at later ones."""
    return quantile(closing.levels(look)[1], nu)


def difference(one: Confirmed | None, other: Confirmed | None) -> Interval | None:
    """How much more the first session gained, from fresh pairs alone (Welch's interval)."""
    if one is None or other is None:
        return None
    value, parts = one.gain.value - other.gain.value, [(2 * c.sigma**2 / c.pairs, c) for c in (one, other) if c.pairs]
    variance = sum(v for v, _ in parts)
    if not variance:
        return Interval(value, value, value)
    nu = variance**2 / sum(v**2 / c.freedom for v, c in parts)
    half = _quantile(max(one.look, other.look), nu) * math.sqrt(variance)
    return Interval(value, value - half, value + half)
