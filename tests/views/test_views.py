"""The views say what the rows say, in letters and words that do not depend on the face."""

from __future__ import annotations

import math

import pytest

from council.errors import UsageError
from council.store import Store
from council.views import labels, leaderboard, round, sentences, sessions, status
from council.views import words as w
from tests.views.night_rows import BASE, SESSION, night


def _open(path, **more):
    return Store(night(path, **more), read_only=True)


def test_status_counts_rounds_verdicts_and_replicates(store):
    found = status.read(store)
    assert (found.session, found.rounds_done, found.round, found.ended) == (SESSION, 2, 2, "2 rounds done")
    assert found.verdicts == {"keep": 1, "crash": 1} and found.replicates == 1
    assert found.members == ("alpha", "beta", "=gamma") and found.absent == (("delta", "no key"),)
    assert found.cost_usd == pytest.approx(0.256) and found.running is None


def test_the_book_is_the_last_row_and_says_when_it_is_the_baseline(store):
    booked = status.read(store).booked
    assert booked is not None and booked.is_baseline and booked.commit == BASE
    assert (booked.best, booked.best_sd) == (1.002, math.sqrt(4e-5)) and booked.confirmed is None


def test_a_kept_edit_no_longer_stands_after_going_back(store):
    (kept,) = status.read(store).kept
    assert (kept.round, kept.number, kept.member, kept.delta, kept.standing) == (1, 3, "alpha", 0.017, False)


def test_an_open_round_is_not_done_and_its_experiment_is_running(tmp_path):
    found = status.read(_open(tmp_path / "c.db", ended=False))
    assert (found.round, found.rounds_done, found.ended) == (3, 2, None)
    assert found.running is not None and (found.running.number, found.running.role) == (7, "trial")


def test_a_session_that_went_on_after_its_end_is_not_ended(tmp_path):
    path = night(tmp_path / "c.db")
    store = Store(path)
    row = {"session": 1, "round": 3, "number": 7, "role": "trial", "at": 3000.0, "commit": BASE, "parent": BASE}
    with store.atomic():
        store.insert("experiments", {**row, "code": "c", "sha256": "s", "seed": 1, "split": "validation"})
    assert status.read(store).ended is None


def test_status_asks_as_often_after_many_rounds_as_after_few(tmp_path):
    path = night(tmp_path / "c.db")
    store = Store(path)

    def queries() -> int:
        asked = []
        store._db.conn.set_trace_callback(asked.append)
        status.read(store)
        store._db.conn.set_trace_callback(None)
        return len(asked)

    before = queries()
    with store.atomic():
        for number in range(3, 60):
            store.insert("rounds", {"session": 1, "round": number, "at": 1.0, "parent": BASE})
    assert queries() == before


def test_labels_follow_the_order_of_first_versions_and_repairs_keep_their_letter(store):
    found = round.read(store, 1)
    assert [(p.label, p.member, p.title[:6], p.state) for p in found.proposals] == [
        ("A", "alpha", "raise ", "valid"),
        ("B", "beta", "mended", "valid"),
        ("C", "=gamma", "no goo", "invalid"),
    ]
    assert [(c["label"], c["step"], c["valid"]) for c in found.checks] == [
        ("A", "propose", True),
        ("B", "propose", False),
        ("C", "propose", False),
        ("B", "repair", True),
    ]


def test_ballots_are_translated_from_each_judges_own_labels(store):
    by = {b.member: b for b in round.read(store, 1).ballots}
    assert (by["=gamma"].shown, by["=gamma"].ranking, by["=gamma"].recused) == (["B", "A"], ["A", "B"], [])
    assert (by["alpha"].shown, by["alpha"].ranking, by["alpha"].recused) == (["B"], ["B"], ["A"])
    assert by["alpha"].forecasts == {"A": 0.9, "B": 0.3}


def test_a_judge_without_a_ballot_is_listed_with_no_ranking(store):
    found = round.read(store, 2)
    assert [(b.member, b.ranking) for b in found.ballots] == [("alpha", None)]
    assert [(o["member"], o["kind"]) for o in found.outcomes] == [("alpha", "bad_reply")]


def test_the_verdict_of_a_kept_round_carries_its_numbers(store):
    found = round.read(store, 1)
    assert (found.verdict, found.bpb, found.booked_before, found.delta, found.sigmas, found.belief) == (
        "keep", 0.985, 1.002, 0.017, 1.9, 0.746,
    )  # fmt: skip
    assert found.pick == "A" and [(p.score, p.rank, p.run) for p in found.proposals] == [
        (1.0, 1, 3), (0.5, 2, None), (None, None, None),
    ]  # fmt: skip


def test_a_repair_takes_the_slot_of_the_crash_it_mends(store):
    found = round.read(store, 2)
    assert [(e.number, e.role, e.label, e.verdict) for e in found.experiments] == [
        (4, "trial", "A", "crash"), (5, "repair", "A", "crash"), (6, "replicate", None, None),
    ]  # fmt: skip
    assert found.reason.startswith("TypeError") and found.back and found.proposals[0].title == "crash me less"


def test_round_0_has_no_verdict(store):
    found = round.read(store, 0)
    assert found.verdict is None and found.bpb is None and len(found.experiments) == 2


def test_a_lost_call_is_told(tmp_path):
    path = night(tmp_path / "c.db")
    store = Store(path)
    with store.atomic():
        store.insert(
            "calls",
            {
                "session": 1,
                "round": 1,
                "step": "rank",
                "member": "beta",
                "attempt": 1,
                "turn": 0,
                "at": 1.0,
                "provider": "x",
                "model": "m",
                "request": {},
                "reserved_usd": 0.1,
            },
        )
    assert [c["status"] for c in round.read(store, 1).calls] == ["ok", "lost"]


def test_best_is_the_round_whose_edit_is_booked(tmp_path):
    path = night(tmp_path / "c.db")
    store = Store(path)
    row = {"session": 1, "round": 2, "number": 9, "at": 1.0, "cause": "trial", "commit": "c" * 40, "code": "c"}
    with store.atomic():
        store.insert("books", {**row, "b": 0.9, "v": 1e-5, "b_base": 1.0, "v_base": 1e-5, "sigma": 0.01, "since": 1})
    assert round.number(store, "best") == 1


def test_leaderboard_counts_proposals_runs_and_keeps_once(store):
    found = {m.name: m for m in leaderboard.read(store).members}
    assert {n: (m.proposals, m.run, m.kept) for n, m in found.items()} == {
        "alpha": (1, 1, 1), "beta": (2, 1, 0), "=gamma": (1, 0, 0), "delta": (0, 0, 0),
    }  # fmt: skip
    assert found["alpha"].bad_replies == 1 and found["alpha"].tokens_in == 1200 and found["delta"].absent == "no key"


def test_brier_keeps_forecasts_of_own_proposals_apart(store):
    found = {m.name: m for m in leaderboard.read(store).members}
    assert found["beta"].brier == pytest.approx(0.09) and found["beta"].brier_own == pytest.approx(0.36)
    assert found["alpha"].brier is None and found["alpha"].brier_own == pytest.approx(0.01)


def test_leaderboard_pools_comparable_sessions_only(tmp_path):
    path = night(tmp_path / "c.db")
    night(path, "second")
    store = Store(path)
    pooled = leaderboard.read(store)
    assert pooled.pooled == (SESSION, "second") and pooled.rounds == 4 and pooled.members[0].kept == 2
    assert leaderboard.read(store, "second").members[0].kept == 1
    with store.atomic():
        other = store.insert(
            "sessions",
            {"name": "elsewhere", "at": 1.0, "seed": "s", "commit": BASE, "config": {}, "program": "p", "versions": {}},
        )
        store.insert("members", {"session": other, "name": "alpha", "kind": "random", "options": {}, "votes": 1})
    alone = leaderboard.read(store)
    assert alone.pooled == ("elsewhere",) and set(alone.left_out) == {SESSION, "second"}


def test_an_unknown_session_names_those_that_exist(store):
    with pytest.raises(UsageError, match="nope") as caught:
        sessions.find(store, "nope")
    assert SESSION in caught.value.hint


def test_an_empty_database_says_how_to_start(tmp_path):
    with pytest.raises(UsageError, match="no session yet"):
        status.read(Store(tmp_path / "c.db"))


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0, "measured 1.00000, 1.00400"),
        (1, "was kept: measured 0.98500, 0.01700 (1.9 σ) below the booked best"),
        (2, "repaired once after a crash, crashed"),
        (2, "went back to the baseline"),
    ],
)
def test_a_sentence_says_what_happened_and_why(store, number, told):
    assert told in sentences.verdict(round.read(store, number))


def test_letters_go_on_after_z():
    assert [labels.letters(n) for n in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (w.bpb(0.9935549), "0.99355"),
        (w.bpb(None), "–"),
        (w.delta(0.0031), "+0.00310"),
        (w.delta(-0.0031), "-0.00310"),
        (w.delta(-1e-9), "+0.00000"),
        (w.sigmas(-0.26), "-0.3 σ"),
        (w.money(1.005), "$1.00"),
        (w.probability(0.003), "<1 %"),
        (w.probability(0.999), ">99 %"),
        (w.probability(0.0), "0 %"),
        (w.probability(1.0), "100 %"),
        (w.duration(89), "89 s"),
        (w.duration(3725), "62 min"),
        (w.duration(7500), "2 h 05 min"),
        (w.plural(1, "round"), "1 round"),
    ],
)
def test_numbers_are_rounded_the_same_everywhere(said, shown):
    assert said == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("a\nb", "a ⏎ b"),
        ("\x1b[31mred", "␛[31mred"),
        ("\x9b31m", "<U+009B>31m"),
        ("a\u202eb", "a<U+202E>b"),
        ("a\u200bb\ufeff", "a<U+200B>b<U+FEFF>"),
        ("tab\tend\r", "tab end␍"),
        ("\x7f", "␡"),
        ("\ud800", "<U+D800>"),
        ("naïve 日本 σ", "naïve 日本 σ"),
    ],
)
def test_clean_makes_text_inert_and_visible(text, shown):
    assert w.clean(text) == shown


def test_clean_bounds_the_length_of_any_text():
    assert len(w.clean("x" * 10**6, 50)) == 50 and len(w.clean("\x00\x1b\u202e" * 10**6, 50)) == 50


def test_clean_lines_bounds_lines_and_their_width():
    shown = w.clean_lines("a\tb\n" + "y" * 5000 + "\n" + "z\n" * 5000, limit=10, width=100)
    assert shown[0] == "a   b" and len(shown[1]) == 101 and len(shown) == 11 and shown[-1].startswith("… ")
