"""How judges' forecasts came true: Brier against always forecasting the base rate known at the time, and reliability.

Over settled forecasts of others' proposals; a member's own are left out, because authors favour their own. It says how
much a forecast may be taken at its word, never who judges best. How to extend: `council/judge/reputation.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from council.judge.reputation import Calibration, calibration
from council.refit import identities, key_of

if TYPE_CHECKING:
    from council.store import Store

HITS, SETTLED = 2, 5
"""The base rate starts at 2 of 5, as in a brief."""


def base_rates(store: Store, session: int) -> dict[int, float]:
    """Per settled experiment the share of earlier ones in its session that beat the book, shrunk towards 2 of 5."""
    found, hits, settled = {}, HITS, SETTLED
    rows = store.query("SELECT number, delta FROM verdicts WHERE session = ? AND settles = 1 ORDER BY number", session)
    for row in rows:
        found[row["number"]] = hits / settled
        hits, settled = hits + int((row["delta"] or 0) > 0), settled + 1
    return found


def read(store: Store, ids: Sequence[int]) -> dict[str, Calibration]:
    """Calibration per judge of those sessions, by `key_of` its identity."""
    who = identities(store, ids)
    found: dict[str, list[tuple[float, int, float]]] = defaultdict(list)
    for session in ids:
        base = base_rates(store, session)
        sql = "SELECT judge, number, p, outcome FROM settlements WHERE session = ? AND own = 0 ORDER BY id"
        for row in store.query(sql, session):
            member = who.get((session, row["judge"]))
            if member is not None and row["number"] in base:
                found[key_of(member)].append((row["p"], row["outcome"], base[row["number"]]))
    return {name: made for name, settled in found.items() if (made := calibration(settled)) is not None}
