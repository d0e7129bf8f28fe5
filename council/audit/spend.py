"""Spend: what every recorded call cost, counted again from its tokens and the price that stands with the request.

A whole reply costs its tokens at that price: fresh, read from a cache, written to one, and written by the model. A
call that failed costs at most what was set aside for it and at least what its tokens were counted at; a call without a
reply is lost and stays at what was set aside, which is never less than the longest answer it allowed. A call of a
session that recorded no prices cannot be counted again.
"""

from __future__ import annotations

import json

from council.audit.findings import Findings, same
from council.members.provider import Reply, TooSlow
from council.members.provider_price import Price
from council.store import Row, Store

CALLS = """
SELECT c.id, c.reserved_usd, json_extract(c.request, '$.price') AS price,
       coalesce(json_extract(c.request, '$.max_tokens'), json_extract(c.request, '$.max_output_tokens'), 0) AS longest,
       r.id AS reply, r.status, r.tokens_in, r.tokens_cached, r.tokens_out, r.cost_usd,
       coalesce(json_extract(r.raw, '$.tokens_written'), 0) AS tokens_written
FROM calls c LEFT JOIN replies r ON r.call = c.id WHERE c.session = ? ORDER BY c.id
"""
NEVER_NEGATIVE = ("reserved_usd", "cost_usd", "tokens_in", "tokens_cached", "tokens_written", "tokens_out")


def check(store: Store, session: Row, found: Findings) -> None:
    """Check the dollars of every call of a session."""
    for row in store.query(CALLS, session["id"]):
        where = f"{session['name']} call {row['id']}"
        with found.reading(where):
            if below := [f"{name} is {row[name]}" for name in NEVER_NEGATIVE if (row[name] or 0) < 0]:
                found.unless(False, "spend", where, f"less than nothing: {', '.join(below)}")
            elif row["price"] is not None:
                _call(row, Price(**json.loads(row["price"])), where, found)


def _call(row: Row, price: Price, where: str, found: Findings) -> None:
    reserved, cost = row["reserved_usd"], row["cost_usd"]
    if row["reply"] is None:
        least = price.at_most(0, row["longest"])
        told = f"it has no reply, ${reserved:.6f} were set aside, its answer alone may cost ${least:.6f}"
        found.unless(reserved >= least or same(reserved, least), "spend", where, told)
        return
    counts = ("tokens_in", "tokens_cached", "tokens_written", "tokens_out")
    reply = Reply("", **{name: row[name] for name in counts})
    counted = price.cost(reply)
    if row["status"] == "ok":
        found.unless(same(cost, counted), "spend", where, f"its reply cost ${cost}, by its tokens ${counted}")
        return
    least = 0.0 if row["status"] == TooSlow.status and row["tokens_out"] < 2 else min(reserved, counted)
    fine = (least <= cost or same(least, cost)) and (cost <= reserved or same(cost, reserved))
    told = f"a call that ended as {row['status']} cost ${cost}, not between ${least} and ${reserved}"
    found.unless(fine, "spend", where, told)
