"""Training goes into the train box: what a score box does before its first answer is counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.errors import Rejected
from lab.first_answer import BATCHES, BUILD_FREE, LATE, LOAD_RATE, SLACK, Work, allowed, check, paid_twice
from lab.measurement import Measurement

Run = Callable[..., Measurement]
WORK = "end = time.process_time() + {seconds}\nwhile time.process_time() < end: pass"


def once(code: str) -> str:
    """Done before the first answer of a score box."""
    return "if not self.training and not hasattr(self, 'trained'):\n    self.trained = 1\n    " + code.replace(
        "\n", "\n    "
    )


def test_what_is_allowed_follows_from_build_batches_and_weights() -> None:
    assert allowed(0.3, 0.05, 0) == pytest.approx(0.3 + BATCHES * 0.05 + SLACK)
    assert allowed(0.0, 0.0, int(LOAD_RATE)) == pytest.approx(1 + SLACK)
    check(Work(first=SLACK, batch=0.0), 0.0, 0)
    with pytest.raises(Rejected, match="worked longer before its first answer"):
        check(Work(first=SLACK + 0.01, batch=0.0), 0.0, 0)


def test_beyond_what_any_build_takes_time_before_start_is_paid_twice() -> None:
    assert paid_twice(BUILD_FREE) == 0.0
    assert paid_twice(BUILD_FREE + 2.0) == 2.0


def test_a_score_box_that_works_before_its_first_answer_is_rejected(boxed: Run) -> None:
    result = boxed(forward=once(WORK.format(seconds=SLACK + 1)), many_rows=128)
    assert (result.status, result.reason, result.val_bpb) == ("rejected", LATE, None)
    assert result.scoring is not None and min(result.scoring["first_answer"]) > SLACK + 0.9


def test_a_child_that_works_for_a_score_box_counts(boxed: Run) -> None:
    child = f"if os.fork() == 0:\n    {WORK.format(seconds=SLACK + 1)}\n    os._exit(0)\nos.wait()".replace(
        "\nwhile", "\n    while"
    )
    assert boxed(forward=once(child), many_rows=128).reason == LATE


def test_a_build_that_takes_long_may_do_so_again_and_is_paid_twice(boxed: Run) -> None:
    seconds = SLACK + 1.5
    result = boxed(build=WORK.format(seconds=seconds), many_rows=128)
    assert result.status == "ok", result.reason
    assert result.scoring is not None and min(result.scoring["first_answer"]) > SLACK + 1
    assert result.charged is not None and result.charged * 10.0 > 2 * seconds - BUILD_FREE - 0.1


def test_waiting_is_no_work(boxed: Run) -> None:
    assert boxed(forward=once(f"time.sleep({SLACK + 0.5})")).status == "ok"


def test_large_weights_are_no_work(boxed: Run) -> None:
    """48 MB of them; copied number by number they took three seconds."""
    build = """
    model = Tiny(bench.vocab_size)
    model.register_buffer("large", torch.ones(12 << 20))
    return model
    """
    result = boxed(build=build)
    assert result.status == "ok", result.reason
    assert result.scoring is not None and max(result.scoring["first_answer"]) < 1
