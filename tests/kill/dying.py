"""`council` in a process that kills itself, with SIGKILL, where a step begins or ends.

    python tests/kill/dying.py begin:rank_turn 1 -C FOLDER run --offline

The first argument names a function behind a step of one of the graphs, the second which call of it (from 1).
"""

from __future__ import annotations

import importlib
import inspect
import os
import signal
import sys

PLACES = {
    "_open_round": "deliberation", "propose_turn": "deliberation", "guard_round": "deliberation",
    "repair_turn": "deliberation", "debate_round": "deliberation",
    "rank_turn": "deliberation", "tally_round": "deliberation", "run_job": "experiment", "repair_crash": "experiment",
    "verdict_round": "experiment", "keep_round": "experiment", "settle_round": "experiment",
}  # fmt: skip
"""The function that does the work of a node, and the module that calls it."""


def arm(when: str, name: str, nth: int) -> None:
    module = importlib.import_module(f"council.{PLACES[name]}")
    original, calls = getattr(module, name), 0

    def die(moment: str) -> None:
        nonlocal calls
        if moment == when:
            calls += 1
            if calls == nth:
                os.kill(os.getpid(), signal.SIGKILL)

    async def slow(*arguments, **options):
        die("begin")
        found = await original(*arguments, **options)
        die("end")
        return found

    def quick(*arguments, **options):
        die("begin")
        found = original(*arguments, **options)
        die("end")
        return found

    setattr(module, name, slow if inspect.iscoroutinefunction(original) else quick)


if __name__ == "__main__":
    at, name = sys.argv[1].split(":")
    arm(at, name, int(sys.argv[2]))
    from council.cli import main

    sys.argv = ["council", *sys.argv[3:]]
    main()
