"""Every face shows the dollars that the cap counts, those set aside for calls without a reply included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from council.calls import Calls
from council.store import Store
from council.ui import board, markdown, report
from council.ui import calls as calls_face
from council.ui import leaderboard as leaderboard_face
from council.ui import status as status_face
from council.views import calls, compare, costs, leaderboard, night, rounds, status, watch
from council.web.queries import QUERIES
from tests.views.night_rows import night as write

LOST = {"session": 1, "step": "rank", "attempt": 1, "turn": 1, "at": 1.0, "provider": "x", "model": "m", "request": {}}
SET_ASIDE = 0.75
"""Dollars of two calls without a reply, beside one that cost 0.256."""


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Store]:
    """A night that was killed twice while a call was in flight."""
    store = Store(write(tmp_path / "c.db"))
    with store.atomic():
        store.insert("calls", {**LOST, "round": 1, "member": "beta", "reserved_usd": 0.25})
        store.insert("calls", {**LOST, "round": 2, "member": "alpha", "reserved_usd": 0.5})
    yield store
    store.close()


def test_every_view_counts_what_the_cap_counts(killed: Store) -> None:
    spent, flying = Calls(killed, 1).money()
    assert (spent, flying) == (pytest.approx(0.256 + SET_ASIDE), 0)
    found, paid, seats = status.read(killed), costs.read(killed), watch.read(killed).seats
    shown = {
        "status": found.cost_usd,
        "costs": paid.cost_usd,
        "sessions": compare.every(killed)[0].cost_usd,
        "leaderboard": sum(member.cost_usd for member in leaderboard.read(killed).members),
        "rounds": sum(line.cost_usd for line in rounds.read(killed, rounds.Asked()).lines),
        "live": sum(seat.cost_usd for seat in seats),
        "query": sum(row["usd"] for row in killed.query(QUERIES["cost_by_member_and_step"]["sql"])),
    }
    assert shown == dict.fromkeys(shown, pytest.approx(spent))
    aside = sum(row["set_aside"] for row in killed.query(QUERIES["cost_by_member_and_step"]["sql"]))
    assert (found.unanswered_usd, paid.unanswered_usd, aside) == (SET_ASIDE,) * 3
    assert {m.member: m.cost_usd for m in paid.members} == {"alpha": pytest.approx(0.756), "beta": 0.25}


def test_every_face_says_how_much_is_only_set_aside(killed: Store) -> None:
    whole = night.read(killed)
    head = board.block(watch.read(killed), {}, 100, 30, now=2000.0)[0].plain
    said = {
        "status": status_face.lines(status.read(killed)),
        "markdown": [markdown.report(whole)],
        "html": [report.html(whole)],
        "summary": night.summary(whole),
        "live": [head],
        "leaderboard": leaderboard_face.lines(leaderboard.read(killed)),
        "cost": leaderboard_face.lines(leaderboard.read(killed), "cost"),
    }
    for face, lines in said.items():
        assert "$0.75" in " ".join(lines) and "set aside" in " ".join(lines), face
        assert "$1.01" in " ".join(lines) or face in ("leaderboard", "cost"), face
    assert "no reply, $0.25 set aside" in " ".join(calls_face.raw(calls.read(killed, 1, member="beta")))


def test_where_every_call_was_answered_nothing_is_said_of_it(store: Store) -> None:
    said = [*status_face.lines(status.read(store)), *night.summary(night.read(store)), report.html(night.read(store))]
    assert "set aside" not in " ".join(said) and status.read(store).unanswered_usd == 0
