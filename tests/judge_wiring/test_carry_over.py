"""What a session starts its picking from: what comparable sessions before it have shown, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from council import refit
from council.judge.forecast import BASE_MEAN, BASE_SD, State, score, settle, start
from council.learned import Learner, authors, forecasts
from council.store import Store
from tests.test_audit_learning import CLOSED, closed_night
from tests.test_audit_night import Fake, Planned, audited, run
from tests.views import row_writers as rows

NAMES = ("ann", "bob", "cyd")
TRIALS = [0.99, 1.01, 0.97, 1.02, 0.96]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A lab in which a night of three rounds has closed; nights after it do not close."""
    found = closed_night(tmp_path)
    (found / "council.yaml").write_text(CLOSED.replace("closing_pairs: 3", "closing_pairs: 0"))
    return found


def another(folder: Path, name: str = "other", **executor: object) -> int:
    """Run a session of three rounds after it and return its id."""
    run(folder, Fake([1.0, 1.004, *TRIALS[:3]], **executor), session=name, rounds=3)  # type: ignore[arg-type]
    return int(opened(folder).rows("sessions", name=name)[0]["id"])


def opened(folder: Path) -> Store:
    return Store(folder / ".council/council.db", read_only=True)


def first_state(folder: Path, session: int) -> State:
    return Learner(opened(folder), session).before(1).state


def test_skill_and_weights_are_carried_over_and_the_base_starts_anew(folder: Path) -> None:
    session = another(folder)
    state, learnt = first_state(folder, session), refit.pooled(opened(folder), [1])
    assert learnt.settled == 3 and not np.allclose(learnt.mean[1:], start(NAMES, NAMES).mean[1:], atol=1e-3)
    assert state.mean[1:] == pytest.approx(learnt.mean[1:]) and state.cov[1:, 1:] == pytest.approx(learnt.cov[1:, 1:])
    assert (state.mean[0], state.cov[0, 0]) == pytest.approx((BASE_MEAN, BASE_SD**2))
    assert state.cov[0, 1:] == pytest.approx(0, abs=1e-15) and state.settled == 0
    assert all(one.n == 0 for one in state.running), "habits of forecasting start anew"


def test_the_pick_of_the_next_session_follows_what_was_carried_over(folder: Path) -> None:
    session, store = another(folder), opened(folder)
    (tally,) = store.rows("tallies", session=session, round=1)
    standing, cast = authors(store, tally), forecasts(store, session, 1)
    told = {int(p): belief for p, belief in tally["beliefs"].items()}
    assert score(first_state(folder, session), standing, cast).scores == told
    without = score(start(NAMES, NAMES), standing, cast).scores
    assert max(abs(x - told[p]) for p, x in without.items()) > 0.01


def test_the_state_of_a_session_that_carried_is_the_same_live_rebuilt_and_audited(folder: Path) -> None:
    session = another(folder)
    learner = Learner(opened(folder), session)
    steps = [learner.before(n).state for n in (1, 2, 3, 4)]
    assert steps == [Learner(opened(folder), session).before(n).state for n in (1, 2, 3, 4)]
    assert audited(folder).problems == ()


def test_an_older_session_that_goes_on_changes_nothing_of_a_later_one(folder: Path) -> None:
    session = another(folder)
    before = first_state(folder, session)
    run(folder, Fake(TRIALS[3:]), resume="night", rounds=5)  # nobody proposes in its fourth round
    assert refit.pooled(opened(folder), [1]).settled == 4
    assert first_state(folder, session) == before and audited(folder).problems == ()
    third = another(folder, "third")
    state = first_state(folder, third)
    assert state.mean[1:] == pytest.approx(refit.pooled(opened(folder), [1, 2]).mean[1:])
    assert not np.allclose(state.mean[1:], before.mean[1:], atol=1e-3)


def test_a_session_that_was_open_first_and_measured_later_carries_nothing_from_it(folder: Path) -> None:
    run(folder, Fake(["void", "void"]), session="late", rounds=1)  # its machine fails before the baseline is booked
    session = another(folder)
    before = first_state(folder, session)
    run(folder, Fake([1.0, 1.004, 0.9]), resume="late", rounds=1)
    assert first_state(folder, session) == before and audited(folder).problems == ()


def test_under_other_conditions_nothing_is_carried_over(folder: Path) -> None:
    session = another(folder, conditions={"device": "x"})
    assert first_state(folder, session) == start(NAMES, NAMES)
    assert audited(folder).problems == ()


class Other(Planned):
    """Another kind of member."""


def test_a_member_that_changed_starts_anew_among_those_that_did_not(folder: Path) -> None:
    yaml = folder / "council.yaml"
    here, before = f"{__name__}:Other", "tests.test_audit_night:Planned"
    yaml.write_text(yaml.read_text().replace(f'bob, kind: "{before}"', f'bob, kind: "{here}"'))
    session = another(folder)
    state, learnt, anew = first_state(folder, session), refit.pooled(opened(folder), [1]), start(NAMES, NAMES)
    assert state.mean[[2, 5]] == pytest.approx(anew.mean[[2, 5]]) and state.cov[2, 2] == pytest.approx(anew.cov[2, 2])
    assert state.mean[[1, 3, 4, 6]] == pytest.approx(learnt.mean[[1, 3, 4, 6]])


def test_the_leaderboard_starts_from_scratch_whatever_was_carried_over(folder: Path) -> None:
    session = another(folder)
    both = refit.pooled(opened(folder), [1, session])
    assert both.settled == 6 and np.allclose(both.prior, start(NAMES, NAMES).prior)
    alone = refit.pooled(opened(folder), [session])
    assert alone.settled == 3 and np.allclose(alone.prior, start(NAMES, NAMES).prior)


def test_a_runner_up_of_an_earlier_round_settles_with_its_own_features(folder: Path) -> None:
    store = Store(folder / ".council/council.db")
    tally = store.one("tallies", session=1, round=1)
    assert tally is not None
    runner, before = tally["ranking"][1], Learner(store, 1).before(3)
    with store.atomic():
        rows.run(store, 1, 2, 99, "runner_up", "9" * 40, runner, "ok", 0.97)
        rows.verdict(store, 1, 2, 99, "keep", "measured below", 1, delta=0.02, sigmas=2.4)
    after = Learner(store, 1).before(3)
    assert after.state == settle(before.state, before.phis[runner], 2.4)
    assert Learner(store, 1).after(2, 99).state == after.state
    assert [one.settled[-1:] for one in refit.rounds(store, 1)][1] == [(runner, 2.4)]
    assert refit.pooled(store, [1]).settled == 4
