"""`council leaderboard`: what it says of members whose true worth is planted, and what it refuses to say."""

from __future__ import annotations

import random
import sqlite3
from dataclasses import replace

import pytest

from council import refit
from council.judge.forecast import Forecast, Round
from council.store import Store
from council.ui import leaderboard as face
from council.views import calibration, leaderboard, meters
from tests.views.night_rows import SESSION, night

JUDGES = ("ann", "bob", "cyd")


def planted(seed, rounds, skill=(0.0, 0.0, 0.0), sight=0.0):
    """Rounds in which member i's edits are worth skill[i] σ more, and judges see a share `sight` of the quality."""
    rng, found = random.Random(seed), []
    for number in range(rounds):
        ids = {3 * number + i: name for i, name in enumerate(JUDGES)}
        worth = {p: skill[JUDGES.index(name)] + rng.gauss(0, 0.7) for p, name in ids.items()}
        cast = []
        for judge in JUDGES:
            for p, author in ids.items():
                seen = sight * worth[p] + rng.gauss(0, 0.5)
                cast.append(Forecast(judge, p, 1 / (1 + 2.718 ** -(seen + 0.3)), judge == author))
        pick = rng.choice(sorted(ids))
        found.append(Round(ids, cast, [(pick, max(-2.0, min(3.0, worth[pick] + rng.gauss(0, 1))))]))
    return found


def test_two_sessions_pool_to_the_same_as_one_long_one_would_weigh():
    short = refit.refit([planted(1, 60, (1, 0, 0), 1)], JUDGES, JUDGES)
    both = refit.refit([planted(1, 60, (1, 0, 0), 1), planted(2, 60, (1, 0, 0), 1)], JUDGES, JUDGES)
    assert (short.settled, both.settled) == (60, 120) and both.proposals == (120, 120, 120)
    from council.judge import reputation

    one, two = reputation.judges(short), reputation.judges(both)
    assert two.total.high - two.total.low < one.total.high - one.total.low
    assert (two.sceptic.value < two.total.value) and two.shown


def test_pooling_keeps_the_prior_of_the_first_session():
    from council.judge import reputation

    state = refit.refit([[], [], []], JUDGES, JUDGES)
    judged = reputation.judges(state)
    assert judged.total.value == pytest.approx(0.5) and judged.sceptic.value == pytest.approx(0, abs=1e-9)
    assert judged.sceptic.high - judged.sceptic.low == pytest.approx(judged.total.high - judged.total.low)


def test_judges_who_see_nothing_are_not_said_to_help():
    from council.judge import reputation

    said = [reputation.judges(refit.refit([planted(s, 60)], JUDGES, JUDGES)).shown for s in range(20)]
    assert sum(said) <= 3
    seeing = [reputation.judges(refit.refit([planted(s, 100, sight=1.5)], JUDGES, JUDGES)).shown for s in range(5)]
    assert all(seeing)


@pytest.fixture
def store(tmp_path):
    found = Store(night(tmp_path / "council.db"), read_only=True)
    yield found
    found.close()


def test_members_whose_intervals_overlap_share_a_range_of_ranks(store):
    board = leaderboard.read(store)
    assert {(m.rank_low, m.rank_high) for m in board.members if m.skill is not None} == {(1, 2)}
    said = "\n".join(face.lines(board))
    assert "1–2" in said and "Too few rounds" in said and "How to read it" in said


def test_the_sum_of_weights_is_that_of_the_table_and_the_sceptic_decides(store):
    board = leaderboard.read(store)
    told = board.judges
    shown = [m.judge_weight for m in board.members if m.judge_weight is not None]
    assert told.sum_weight == pytest.approx(sum(shown)) and told.sceptic_sum < told.sum_weight
    assert told.helping is False and told.sceptic_low < 0 < told.low
    said = face.helping(board)
    assert f"sum to {told.sum_weight:+.2f} ({told.low:+.2f} to {told.high:+.2f}) σ" in said
    assert f"to {told.sceptic_sum:+.2f} ({told.sceptic_low:+.2f} to {told.sceptic_high:+.2f})" in said


@pytest.mark.parametrize(
    ("low", "sceptic_low", "helping", "words"),
    [
        (0.2, 0.1, True, "The judges help:"),
        (0.2, -0.1, False, "The judges are not yet shown to help:"),
        (-0.1, -0.3, False, "The judges are not helping,"),
    ],
)
def test_the_sentence_on_judges_has_three_answers(store, low, sceptic_low, helping, words):
    told = leaderboard.Help(0.4, low, 0.9, helping, 0.3, sceptic_low, 0.8)
    assert face.helping(replace(leaderboard.read(store), judges=told)).startswith(words)


def test_dollars_are_set_against_the_believed_gain_of_what_was_kept(store):
    alpha = next(m for m in leaderboard.read(store).members if m.name == "alpha")
    assert alpha.kept_gain == pytest.approx(0.005) and alpha.usd_per_gain == pytest.approx(0.256 / 5)
    beta = next(m for m in leaderboard.read(store).members if m.name == "beta")
    assert beta.usd_per_gain is None


def test_the_base_rate_is_the_one_known_before_the_experiment(store):
    sid = store.one("sessions", name=SESSION)["id"]
    assert calibration.base_rates(store, sid) == {3: 2 / 5, 5: 3 / 6}
    made = {refit.name_of(k): v for k, v in calibration.read(store, [sid]).items()}
    assert made["beta"].base == pytest.approx((0.4 - 1) ** 2) and "alpha" not in made


def test_equal_names_of_different_models_are_not_pooled(tmp_path):
    path = night(tmp_path / "c.db")
    night(path, "second")
    db = sqlite3.connect(path)
    db.execute("DROP TRIGGER members_no_update")
    db.execute("UPDATE members SET template = 'new' WHERE session = 2 AND name = 'alpha'")
    db.commit()
    board = leaderboard.read(Store(path, read_only=True))
    assert sorted(m.name for m in board.members) == ["=gamma", "alpha", "alpha", "beta", "delta"]
    assert [m.proposals for m in board.members if m.name == "alpha"] == [1, 1]


def changed(path, sql):
    """The night twice in one database, changed behind the triggers' back."""
    night(path, "second")
    db = sqlite3.connect(path)
    db.execute("DROP TRIGGER members_no_update")
    db.execute(sql)
    db.commit()
    db.close()
    return leaderboard.read(Store(path, read_only=True))


AWAY = (
    "UPDATE members SET template = CASE session WHEN 1 THEN 't' END, absent = CASE session WHEN 2 THEN 'no key' END "
    "WHERE name = "
)


def named(board, name):
    return [m for m in board.members if m.name == name]


def test_a_member_that_was_absent_one_night_is_one_member(tmp_path):
    path = night(tmp_path / "c.db")
    (delta,) = named(changed(path, AWAY + "'delta'"), "delta")
    assert delta.absent == "no key", "as of the last night"


def test_a_member_that_proposed_while_it_was_absent_at_first_stays_apart(tmp_path):
    board = changed(night(tmp_path / "c.db"), AWAY + "'alpha'")
    assert [m.proposals for m in named(board, "alpha")] == [1, 1]


@pytest.mark.parametrize("option", ("price", "timeout", "api_key_env"))
def test_what_changes_no_answer_does_not_part_a_member_from_itself(tmp_path, option):
    path = night(tmp_path / "c.db")
    board = changed(path, f"UPDATE members SET options = json_set(options, '$.{option}', 7) WHERE session = 2")
    assert sorted(m.name for m in board.members) == ["=gamma", "alpha", "beta", "delta"]
    other = changed(
        night(tmp_path / "d.db"), "UPDATE members SET options = json_set(options, '$.top', 7) WHERE session = 2"
    )
    assert len(other.members) == 8


def test_meters_say_what_bends_the_votes_and_what_is_not_known(store):
    found = meters.read(store, [store.one("sessions")["id"]])
    assert found.position.first.n == 1 and found.position.first.value < 0, "the lower entry got the higher forecast"
    assert found.regret.lost.n == 0
    said = "\n".join(face.lines(leaderboard.read(store), "judge", found))
    assert "no runner-up has been measured" in said and "Position" in said and "Self-preference" in said


def test_a_measured_runner_up_settles_the_regret(tmp_path):
    from tests.views.row_writers import run, verdict

    path = night(tmp_path / "c.db")
    store = Store(path)
    runner = store.one("proposals", member="beta", step="repair")["id"]
    with store.atomic():
        run(store, 1, 1, 7, "runner_up", "9" * 40, runner, "ok", 0.97)
        verdict(store, 1, 1, 7, "keep", "measured below", 1, delta=0.02, sigmas=2.4)
    found = meters.read(store, [1]).regret
    assert found.lost.n == 1 and found.lost.value == pytest.approx(2.4 - 1.9) and found.share == 1
