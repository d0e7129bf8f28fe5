"""How often an edit that changes nothing is confirmed, once somebody has closed and closed again.

`python benchmarks/looks.py [--draws 40000] [--pairs 3]` plays closings of two codes with the same true BPB through
`council/judge/closing.py` and prints the share in which any of the first 1, 2, 3, 5 looks confirmed a gain, under the
rule (all pairs so far, half the chance of a false claim at every further look) and two others: fresh pairs at the same
level again and again, and fresh pairs at the stricter level. Two baseline runs came before; the lab's noise figure is
right. Without arguments it plays 2,000 draws, in a few seconds. How to extend: a rule is a line of RULES.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from council.judge import closing  # noqa: E402

LOOKS = 5
TOLD = (1, 2, 3, 5)
RULES = {
    "all pairs, stricter (the rule)": (True, True),
    "fresh pairs, stricter": (False, True),
    "fresh pairs, 90 % again and again": (False, False),
}
"""Per rule whether pairs of earlier looks count, and whether later looks are stricter."""


def confirmed(rng: np.random.Generator, pairs: int, pooled: bool, stricter: bool, gain: float = 0.0) -> list[bool]:
    """What each of five looks says of an edit worth `gain` σ."""
    runs = [list(rng.standard_normal(pairs * LOOKS)), list(rng.standard_normal(pairs * LOOKS) - gain)]
    before, found = list(rng.standard_normal(2)), []
    for look in range(1, LOOKS + 1):
        old, end = (look - 1) * pairs, look * pairs
        first = 0 if pooled else old
        seen = [] if pooled else [runs[0][:old], runs[1][:old]]
        plan = closing.plan(pairs, 0, look if stricter else 1)
        base, mine = (side[first:end] for side in runs)
        found.append(closing.close(base, mine, 1.0, [before, *seen], plan, old - first).confirmed)
    return found


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--draws", type=int, default=2000)
    options.add_argument("--pairs", type=int, default=3)
    asked = options.parse_args()
    for gain, told in ((0.0, "an edit that changes nothing, ever confirmed"), (1.0, "a gain of 1 σ, ever confirmed")):
        print(f"{told}, of {asked.draws} draws, {asked.pairs} pairs a look")
        for name, rule in RULES.items():
            rng = np.random.default_rng(20261124)
            said = np.array([confirmed(rng, asked.pairs, *rule, gain) for _ in range(asked.draws)])
            shares = [said[:, :looks].any(axis=1).mean() for looks in TOLD]
            print(f"  {name:34s} " + "  ".join(f"{n} looks {x:.3f}" for n, x in zip(TOLD, shares, strict=True)))


if __name__ == "__main__":
    main()
