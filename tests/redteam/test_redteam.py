"""Every attack in every sandbox tier of this machine: nothing hostile gets a better score, or out.

`make redteam` runs these and prints the table. An attack on an honest base is *harmless* if it changes the
score of that base by less than noise, *caught* if the referee sees that it looks ahead or that its answers change,
*contained* if it ends as a value and the machine goes on.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lab import causality
from lab.measurement import Measurement
from lab.process import processes
from lab.referee import Request, measure
from lab.sandbox import TIERS
from lab.sandbox_selftest import examine
from tests.redteam.reading import ATTACKS, BASE, Attack

pytestmark = pytest.mark.redteam
TOLERANCE = 0.01  # BPB, on random tokens at 11
CONTAINED = {"ok", "crash", "timeout", "oom", "rejected"}
SHUT = [tier for tier in TIERS if tier != "none"]


@cache
def usable(tier: str) -> bool:
    """Whether the tier passes its self-test on this machine."""
    return examine(tier).passed


@cache
def honest(tier: str) -> float:
    """The score of the base without an attack."""
    found = measure(Request(BASE.encode(), budget=10.0, steps=3, sandbox=tier))
    assert found.status == "ok" and found.val_bpb is not None, f"the honest base: {found.status}, {found.reason}"
    return found.val_bpb


def left_over() -> set[int]:
    """Children of this process; whatever outlives a box becomes one."""
    me = os.getpid()
    return {process.pid for process in processes().values() if process.parent == me}


def run(attack: Attack, tier: str, known: dict[str, Any]) -> Measurement:
    request = Request(
        attack.source(known),
        budget=1.0 if attack.full else attack.budget,
        steps=0 if attack.full else 3,
        sandbox=tier,
        max_eval_seconds=None if attack.full else attack.max_eval_seconds,
    )
    return measure(request)


def verdict(attack: Attack, found: Measurement, tier: str) -> str:
    """Why this is not what must happen; '' if it is."""
    status, reason = found.status, found.reason or ""
    if "BREACH" in f"{found.log_tail} {reason}":
        return f"it worked: {reason}"
    if attack.must == "contained":
        return "" if status in CONTAINED else f"{status}: {reason}"
    if attack.must == "caught":
        return "" if status == "rejected" and reason in causality.REASONS else f"{status}: {reason}"
    if attack.must == "harmless":
        if status != "ok" or found.val_bpb is None:
            return f"{status}: {reason}"
        gap = found.val_bpb - honest(tier)
        return "" if abs(gap) < TOLERANCE else f"its score differs by {gap:+.4f} BPB"
    wanted, _, says = attack.must.partition(" ")
    return "" if status == wanted and says in reason else f"{status}: {reason}"


@pytest.mark.parametrize("tier", SHUT)
@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.name) for attack in ATTACKS])
def test_an_attack_gets_nothing(
    attack: Attack,
    tier: str,
    known: dict[str, Any],
    table: list[tuple[str, ...]],
) -> None:
    if not usable(tier):
        pytest.skip(f"{tier} does not pass its self-test here")
    if attack.tiers and tier not in attack.tiers:
        pytest.skip(f"{tier} does not promise this, see docs/sandbox.md")
    before = left_over()
    found = run(attack, tier, known)
    wrong = verdict(attack, found, tier)
    happened = found.status if found.val_bpb is None else f"{found.status} {found.val_bpb:.4f}"
    table.append((tier, attack.name, attack.must, "" if not wrong else "WRONG", f"{happened}  {found.reason or ''}"))
    assert not wrong
    assert all(character == "\n" or character.isprintable() for character in found.log_tail)
    assert Path(known["CANARY"]).exists() and left_over() <= before


def test_there_are_at_least_forty_mechanisms() -> None:
    assert len({attack.tries for attack in ATTACKS}) == len(ATTACKS) >= 40
