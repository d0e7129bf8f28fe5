"""Calls and logs as lines of text: prompts and replies in full but inert, calls as JSON, the end of each log.

Nothing of a call is cut, however long its lines are: who reads one wants every word, and a terminal wraps by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from council.ui.jsonlines import line
from council.ui.text import paint, wrap
from council.views.calls import Call, Log
from council.views.words import clean, clean_lines, count, money, number, whole_lines


def prompts(calls: Sequence[Call], colour: bool = False) -> list[str]:
    """What each call asked and what came back."""
    found: list[str] = []
    for call in calls:
        found += [*_head(call, colour)]
        for role, text in call.messages():
            found += [paint(f"  [{clean(role, 20)}]", "place", colour), *(f"  {x}" for x in whole_lines(text))]
        found += [paint("  [reply]", "place", colour), *(f"  {x}" for x in whole_lines(call.text)), ""]
    return found or ["This round made no call to a language model."]


def raw(calls: Sequence[Call], colour: bool = False) -> list[str]:
    """Each call's request, the text of its reply and what else the provider sent, as stored."""
    found: list[str] = []
    for call in calls:
        body = {"request": call.request, "text": call.text, "raw": call.raw}
        found += [*_head(call, colour), *line(body, indent=2).split("\n"), ""]
    return found or ["This member made no call in this round."]


def logs(found: Sequence[Log], colour: bool = False) -> list[str]:
    """The end of each experiment's log and its last loss."""
    told: list[str] = []
    for log in found:
        losses = [point[2] for point in log.curve if len(point) > 2 and point[2] is not None]
        curve = (
            f", {count(len(losses))} losses from {number(losses[0], 3)} to {number(losses[-1], 3)}" if losses else ""
        )
        told.append(paint(f"x{log.number} {clean(log.role, 20)}{curve}", "bold", colour))
        told += [f"  {x}" for x in clean_lines(log.tail)] or ["  (the log is empty)"]
    return told or ["This round has no log."]


def _head(call: Call, colour: bool) -> list[str]:
    who = f"{clean(call.member, 40)}, {clean(call.step, 20)}"
    again = f", attempt {call.attempt}" if call.attempt > 1 else ""
    tokens = f"{count(call.tokens_in)} tokens in ({count(call.tokens_cached)} cached), {count(call.tokens_out)} out"
    lost = f"no reply, {money(call.reserved_usd)} set aside"
    paid = f"{tokens}, {money(call.cost_usd)}, {number(call.seconds, 1)} s" if call.status != "lost" else lost
    told = f"{who}{again}: {clean(call.provider, 20)} {clean(call.model, 60)}, {clean(call.status, 20)}, {paid}"
    return [paint(x, "bold", colour) for x in wrap(told)]
