"""The mechanism in the worlds of docs/simulation.md: `python benchmarks/mechanism.py [--nights N] [--seed S]`.

Prints what `council simulate` prints for all worlds (`council/simulate_table.py`), with more nights where nights are
short or nothing can help, and the ways to pick in the default world alone. Takes under two minutes on two cores at the
default number of nights. Exits 0 whatever it finds: it measures.
"""

from __future__ import annotations

import argparse
import sys
import time

from council import simulate, simulate_table


def main() -> None:
    parser = argparse.ArgumentParser(description="The mechanism in simulated worlds.")
    parser.add_argument("--nights", type=int, default=simulate.NIGHTS, help="nights per world (default %(default)s)")
    parser.add_argument("--seed", type=int, default=simulate.SEED)
    args = parser.parse_args()
    began = time.monotonic()
    found = simulate.reports(
        simulate.plan(args.nights), args.seed, lambda name: print(f"playing {name}", file=sys.stderr)
    )
    print(simulate_table.text(found, [simulate.picks(nights=args.nights, seed=args.seed)]))
    print(f"\n{time.monotonic() - began:.0f} s, seed {args.seed}")


if __name__ == "__main__":
    main()
