"""What costs much is read again when what it depends on has changed, and only then."""

from __future__ import annotations

from contextlib import closing

import pytest

from council import refit
from council.store import Store
from council.views import leaderboard, member, watch
from council.views.once import Kept
from tests.report import nights


@pytest.fixture
def counted(monkeypatch):
    """How often the regression was made."""
    made = []
    real = refit.pooled
    monkeypatch.setattr(refit, "pooled", lambda *a: (made.append(a), real(*a))[1])
    return made


def test_a_kept_value_is_made_once_per_key_and_the_oldest_goes_first():
    made, once = [], Kept(2)
    for key in ("a", "b", "a", "c", "a", "b"):
        assert once(key, lambda key=key: made.append(key) or key * 2) == key * 2
    assert made == ["a", "b", "c", "b"]


def test_the_regression_waits_for_a_vote_or_a_verdict_and_not_for_a_call(tmp_path, counted):
    path, once = nights.write(tmp_path / "c.db", rounds=6, ended=False), Kept(4)
    with closing(Store(path)) as store:
        before = leaderboard.read(store, None, once)
        assert watch.read(store, None, once) and member.read(store, "opus", None, once).standing in before.members
        call = store.one("calls", member="opus") or {}
        anew = {k: v for k, v in call.items() if k != "id"}
        store.insert("calls", {**anew, "step": "more", "reserved_usd": 7.0})
        after = leaderboard.read(store, None, once)
        paid = {m.name: m.cost_usd - b.cost_usd for m, b in zip(after.members, before.members, strict=True)}
        assert paid["opus"] == pytest.approx(7.0)
        assert len(counted) == 1
        stairs = watch.read(store, None, once).staircase
        assert watch.read(store, None, once).staircase is stairs
        with store.atomic():
            night = nights.Writer(store, nights.random.Random(3), 1, "0" * 40, tuple(nights.MODELS), number=8)
            night.book = nights.books.start("0" * 40, [1.8, 1.8], night.sigma**2)
            nights.play(night, 7)
        assert leaderboard.read(store, None, once) == leaderboard.read(store, None)
        assert leaderboard.read(store, None, once).settled == before.settled + 1
        assert watch.read(store, None, once) == watch.read(store, None)
        assert len(watch.read(store, None, once).staircase.runs) == len(stairs.runs) + 1
