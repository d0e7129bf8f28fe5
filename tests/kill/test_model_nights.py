"""Nights of language models that are killed at random moments and go on: complete, paid once, and without a key."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from council.testing.loopback import Loopback
from tests.kill.models import FAULTS, MODELS, Books, ModelLab, make_models

SECONDS = 2.0
"""About what a round takes; a kill falls anywhere in it."""
FREE = "".join(f"  - {{name: {name}, kind: random}}\n" for name in ("fay", "gus"))


def night(
    folder: Path, rounds: int, kills: int, last: int, cap: float, names: Iterable[str], free: str = ""
) -> tuple[ModelLab, Books]:
    """A checked night with kills at moments uniform over its rounds before `last`. KILL_SEED=… draws them again."""
    seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().getrandbits(32))
    print(f"KILL_SEED={seed}")
    chance, said = random.Random(seed), []
    books = Books(random.Random(seed))
    with Loopback(brain=books, delay=0.05) as provider:
        lab = make_models(folder, rounds, provider.url, cap, names, free)
        for moment in sorted(chance.uniform(1, last) for _ in range(kills)):
            run = lab.start()
            run.until(lambda event, at=int(moment): (event["round"] or 0) >= at)
            time.sleep(moment % 1 * SECONDS)
            run.kill()
            assert run.end() == -signal.SIGKILL
            said += run.seen
        run = lab.start()
        run.until(lambda event: event["kind"] == "end")
        assert run.end() == 0, (folder / "stderr.log").read_text()[-2000:]
    lab.check()
    lab.check_members()
    lab.check_money(books, cap)
    lab.check_paid_once(books)
    lab.check_secrets(books, json.dumps(said + run.seen))
    return lab, books


def test_a_killed_night_of_models_goes_on_and_keeps_to_its_cap(tmp_path):
    lab, _ = night(tmp_path, rounds=8, kills=3, last=3, cap=0.6, names=("ann", "bob", "cyd", "dan"), free=FREE)
    assert "broke" in {row["kind"] for row in lab.rows("outcomes")}


@pytest.mark.kill
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_thirty_rounds_of_five_models_killed_twenty_times_go_on(tmp_path):
    lab, books = night(tmp_path, rounds=30, kills=20, last=30, cap=15.0, names=MODELS)
    assert set(books.failed) == set(FAULTS)
    assert {"keep", "discard"} <= {row["kind"] for row in lab.rows("verdicts")}
