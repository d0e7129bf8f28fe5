"""A session that has just begun: its baseline runs, nothing is measured, and the overview says just that."""

from __future__ import annotations

import fcntl
import os
from contextlib import closing, contextmanager

import pytest

from council.store import Store
from council.views import night
from tests.report.nights import START
from tests.web.conftest import ask, lab, serve, write


def begun(path, *, measured=False, running=True):
    """A session of two members that stands before its book."""
    write(path, rounds=0, name="other")
    with closing(Store(path)) as store:
        told = store.one("sessions") or {}
        session = store.insert("sessions", {**told, "name": "new", "at": START + 9e4, "id": None})
        for member in store.rows("members", session=1)[:2]:
            store.insert("members", {**member, "session": session, "id": None})
        first = store.one("experiments", session=1, number=1) or {}
        done = store.one("measurements", session=1, number=1) or {}
        for number in range(1, 1 + measured + running):
            store.insert("experiments", {**first, "session": session, "number": number, "at": START + 9e4, "id": None})
        if measured:
            store.insert("measurements", {**done, "session": session, "at": START + 9e4 + 60, "id": None})
        return night.summary(night.read(store, "new"))


@pytest.fixture
def home(tmp_path):
    """A lab with such a session, and a process that holds the lock."""
    home = lab(tmp_path)
    begun(home / "council.db")
    lock = os.open(home / "lock", os.O_CREAT | os.O_RDWR)
    os.write(lock, f"pid {os.getpid()}\n".encode())
    fcntl.flock(lock, fcntl.LOCK_EX)
    yield home
    os.close(lock)


def test_the_overview_says_that_the_baseline_is_running_and_draws_no_empty_chart(home):
    with contextmanager(serve)(home) as served:
        body = ask(served, "/")[2]
    assert "The baseline is running; the staircase begins with it." in body and 'class="chart"' not in body
    assert "The baseline is measured first: experiment 1 has begun." in body
    assert "In 0 rounds" not in body and "was not measured" not in body and "known once a run ends" in body


def test_nothing_is_drawn_before_the_first_booking(tmp_path):
    home = lab(tmp_path)
    begun(home / "council.db", measured=True, running=False)
    with contextmanager(serve)(home) as served:
        body = ask(served, "/")[2]
    assert "Nothing is booked yet; the staircase begins with the baseline." in body and 'class="chart"' not in body


@pytest.mark.parametrize(
    ("measured", "running", "said"),
    [
        (False, False, "its first run has not begun"),
        (False, True, "experiment 1 has begun"),
        (True, False, "1 run of it has ended"),
        (True, True, "1 run of it has ended and experiment 2 has begun"),
    ],
)
def test_sentences_fit_a_session_that_has_not_booked_its_baseline(tmp_path, measured, running, said):
    found = begun(tmp_path / "c.db", measured=measured, running=running)
    assert found == [
        f"The baseline is measured first: {said}.",
        "2 members take part; the first round begins once the baseline is booked.",
    ]


def test_a_session_that_ended_without_a_baseline_says_that_nothing_can_be_compared(tmp_path):
    begun(tmp_path / "c.db")
    with closing(Store(tmp_path / "c.db")) as store:
        ended = {"session": 2, "at": START + 1e5, "reason": "the baseline crashed", "exit_code": 1, "rounds": 0}
        store.insert("session_ends", {**ended, "summary": {}})
        assert "The baseline was not measured, so nothing can be compared." in night.summary(night.read(store, "new"))
