"""The mechanism in the worlds of docs/simulation.md: `python benchmarks/mechanism.py [--nights N] [--seed S]`.

Prints the tables of `council/simulate.py` with 95 % intervals, then the ways to pick, then whether each promise was
kept. Takes under two minutes on two cores at the default number of nights. Exits 0 whatever it finds: it measures.
"""

from __future__ import annotations

import argparse
import sys
import time

from council import simulate


def main() -> None:
    parser = argparse.ArgumentParser(description="The mechanism in simulated worlds.")
    parser.add_argument("--nights", type=int, default=simulate.NIGHTS, help="nights per world (default %(default)s)")
    parser.add_argument("--seed", type=int, default=simulate.SEED)
    args = parser.parse_args()
    began = time.monotonic()
    found = simulate.reports(
        nights=args.nights, seed=args.seed, say=lambda name: print(f"playing {name}", file=sys.stderr)
    )
    print(simulate.table(found))
    print("\nTrue gain by way to pick, default world (mBPB):")
    for name, figure in simulate.picks(nights=args.nights, seed=args.seed).items():
        print(f"  {name:<18} {figure.text(2)}")
    print("\nPromises, each by its worst world (open: missed by less than the interval):")
    for finding in simulate.findings(found):
        print(f"  {finding.state:<7} {finding.what}; {finding.world}: {finding.figure.text(3)}")
    print(f"\n{time.monotonic() - began:.0f} s, seed {args.seed}")


if __name__ == "__main__":
    main()
