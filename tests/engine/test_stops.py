"""What ends a session by itself: the clock and money."""

from datetime import datetime

import pytest

from council import stops
from council.redact import MARK
from council.store import Store, now

EVENING = datetime(2026, 11, 20, 22, 15)


@pytest.mark.parametrize(
    ("clock", "stop"),
    [("23:00", datetime(2026, 11, 20, 23, 0)), ("07:30", datetime(2026, 11, 21, 7, 30)), (None, None)],
)
def test_the_clock_means_its_next_showing(clock, stop):
    assert stops.until(clock, EVENING) == stop


def test_the_hour_to_stop_ends_the_session_when_it_has_come_and_not_before():
    moment = stops.until("07:30", EVENING)
    assert stops.late(moment, EVENING) == ""
    assert "07:30" in stops.late(moment, datetime(2026, 11, 21, 7, 30))
    assert stops.late(None, EVENING) == ""


class Free:
    """A member that costs nothing."""


class Dear:
    """A member whose answers cost money."""

    def estimate(self, brief, others):
        return 1.0


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "council.db")
    made.insert(
        "sessions",
        {"name": "s", "at": now(), "seed": "0", "commit": "c", "config": {}, "program": "p", "versions": {}},
    )
    yield made
    made.close()


def outcome(store, kind, detail=""):
    key = {"session": 1, "round": 3, "step": "propose", "member": "gpt", "attempt": 1}
    store.insert("outcomes", {**key, "at": now(), "kind": kind, "detail": detail})


def test_running_out_of_dollars_ends_a_council_that_cannot_go_on_for_free(store):
    outcome(store, "broke")
    assert stops.broke(store, 1, 3, {"gpt": Dear(), "random": Free()})
    assert not stops.broke(store, 1, 3, {"gpt": Dear(), "random": Free(), "tpe": Free()})
    assert not stops.broke(store, 1, 2, {"gpt": Dear()})


def test_a_member_that_failed_otherwise_does_not_end_it(store):
    outcome(store, "timeout")
    assert not stops.broke(store, 1, 3, {"gpt": Dear()})


def test_a_key_in_any_free_text_is_redacted_on_the_way_in(store):
    store.secrets = ("correct-horse-battery",)
    outcome(store, "error", "401 for sk-ant-abcdefghijklmnopqrstuv and correct-horse-battery")
    told = store.one("outcomes")["detail"]
    assert told == f"401 for {MARK} and {MARK}"
