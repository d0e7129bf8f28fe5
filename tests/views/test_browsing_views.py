"""The views behind the pages: lists filtered and sorted, debates in order, members, sessions, costs, failures."""

from __future__ import annotations

from contextlib import closing

import pytest

from council.errors import UsageError
from council.store import Store
from council.views import compare, costs, debate, failures, member, night, repeat, rounds, staircase, status
from council.views.rounds import Asked
from tests.report.nights import START, write


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """Sessions of 8 and of 60 rounds."""
    path = tmp_path_factory.mktemp("long") / "c.db"
    write(path, rounds=8, name="first", seed=3)
    write(path, rounds=60, name="second")
    with closing(Store(path, read_only=True)) as found:
        yield found


def test_the_list_of_rounds_has_pages(long):
    first, last = rounds.read(long, Asked()), rounds.read(long, Asked(page=99))
    assert [line.round for line in first.lines] == list(range(60, 10, -1)) and first.pages == 2
    assert [line.round for line in last.lines] == list(range(10, 0, -1)) and last.page == 2


@pytest.mark.parametrize("verdict", ["keep", "discard", "crash", "rejected", "replicate"])
def test_a_filter_by_verdict_lets_through_what_the_status_counts(long, verdict):
    found = status.read(long)
    wanted = found.replicates if verdict == "replicate" else found.verdicts[verdict]
    lines = rounds.read(long, Asked(verdict=verdict))
    assert lines.total == wanted > 0 and {line.verdict for line in lines.lines} == {verdict}


def test_filters_by_member_and_words_hold_together(long):
    found = rounds.read(long, Asked(member="opus", text="warmup SHORTEN"))
    assert found.total and all("warmup" in x.title and x.member == "opus" for x in found.lines)
    assert rounds.read(long, Asked(text="%' OR 1 --")).total == 0


@pytest.mark.parametrize("key", ["bpb", "delta", "belief", "cost"])
@pytest.mark.parametrize("down", [True, False])
def test_an_order_keeps_unknown_values_last(long, key, down):
    column = {"cost": "cost_usd"}.get(key, key)
    found = [page for n in (1, 2) for page in rounds.read(long, Asked(sort=key, down=down, page=n)).lines]
    values = [getattr(line, column) for line in found]
    known = [v for v in values if v is not None]
    assert known == sorted(known, reverse=down) and values[: len(known)] == known


def test_an_unknown_order_is_that_of_the_rounds(long):
    assert rounds.read(long, Asked(sort="1; drop table rounds")).lines[0].round == 60


def test_a_round_costs_what_its_replies_cost(long):
    sql = (
        "SELECT sum(r.cost_usd) AS usd FROM calls c JOIN replies r ON r.call = c.id WHERE c.session = 2 AND c.round = ?"
    )
    for line in rounds.read(long, Asked()).lines[:5]:
        assert line.cost_usd == pytest.approx(next(long.query(sql, line.round))["usd"])


def test_a_debate_within_one_moment_is_told_in_the_order_it_had(tmp_path):
    with closing(Store(tmp_path / "c.db")) as store:
        opened = {"name": "n", "at": 1.0, "seed": "s", "commit": "c", "config": {}, "program": "", "versions": {}}
        at = {"session": store.insert("sessions", opened), "round": 1, "at": 5.0}
        said = {"hypothesis": "h", "family": "other", "edit": {}, "forecast": 0.5, "attempt": 1}

        def proposal(step, replaces=None):
            row = {**at, **said, "step": step, "member": "ann", "title": step, "replaces": replaces}
            return store.insert("proposals", row)

        first = proposal("propose")
        mended = proposal("repair", first)
        revised = proposal("debate", mended)
        store.insert("responses", {**at, "member": "ann", "proposal": mended, "revised": revised, "text": "a"})
        store.insert("critiques", {**at, "member": "bob", "proposal": mended, "text": "c"})
        for refused in (revised, first):
            store.insert("checks", {**at, "proposal": refused, "valid": False, "reason": "no", "seconds": 1.0})
        (thread,) = debate.threads(store, 1)
    kinds = ["proposal", "refused", "repair", "critique", "answer", "revision", "refused"]
    assert [entry.kind for entry in thread.entries] == kinds


def test_a_debate_is_told_in_its_order_under_its_letter(long):
    threads = {t.label: t for t in debate.threads(long, 5)}
    assert [e.kind for e in threads["A"].entries] == ["proposal", "critique", "answer"]
    repaired = next(t for t in threads.values() if t.member == "gemini")
    assert [e.kind for e in repaired.entries][:3] == ["proposal", "refused", "repair"]
    assert repaired.entries[1].text.startswith("the SEARCH text")


def test_settled_forecasts_stand_best_first(long):
    scores = debate.settled(long, 4)
    assert [s.brier for s in scores] == sorted(s.brier for s in scores) and sum(s.own for s in scores) == 1


def test_a_member_has_its_reliability_in_tenths_and_its_trend(long):
    found = member.read(long, "opus")
    settled = next(long.query("SELECT count(*) AS n FROM settlements WHERE session = 2 AND judge = 'opus' AND own = 0"))
    assert sum(n for _, _, n in found.reliability) == settled["n"] and len(found.reliability) <= 10
    assert found.trend[0] == (1, 0.2) and len(found.proposals) == 60
    with pytest.raises(UsageError, match="nobody"):
        member.read(long, "nobody")


def test_sessions_are_listed_newest_first_and_compared(long):
    assert [(s.name, s.rounds) for s in compare.every(long)] == [("second", 60), ("first", 8)]
    pair = compare.read(long, "first", "second")
    assert pair.differs == () and pair.one.status.rounds_done == 8


def test_other_conditions_are_named_when_sessions_are_compared(tmp_path):
    path = write(tmp_path / "c.db", rounds=1, name="a")
    write(path, rounds=1, name="b")
    with closing(Store(path)) as store:
        row = store.one("sessions", name="b")
        store.insert("sessions", {**row, "name": "c"})
        store.insert(
            "measurements", {**store.one("measurements", session=2), "session": 3, "conditions": {"device": "A100"}}
        )
        differs = {k: (one, other) for k, one, other in compare.read(store, "b", "c").differs}
    assert differs["device"] == ("NVIDIA H200", "A100") and differs["torch"] == ("2.13.0", "")


def test_costs_add_up_and_idle_is_the_rest(long):
    found = costs.read(long)
    total = next(
        long.query("SELECT sum(r.cost_usd) AS usd FROM calls c JOIN replies r ON r.call = c.id WHERE c.session = 2")
    )
    assert found.cost_usd - found.unanswered_usd == pytest.approx(total["usd"])
    assert found.idle == pytest.approx(found.wall - found.device)
    assert sum(m.lost for m in found.members) == sum(m.calls for m in found.members) - next(
        long.query("SELECT count(*) AS n FROM replies r JOIN calls c ON c.id = r.call WHERE c.session = 2")
    )["n"]  # fmt: skip


def test_a_pause_between_two_runs_is_not_idle_time():
    assert costs._alive(0.0, [(5.0, False), (10.0, True), (100.0, False), (120.0, True)]) == 30.0
    assert costs._alive(0.0, [(7.0, False)]) == 7.0


def test_failures_are_counted_by_reason_and_member(long):
    found = failures.read(long)
    assert {f.kind for f in found.experiments} == {"crash", "rejected"} and found.experiments[0].tail
    assert found.refused[0].reason.startswith("the SEARCH text") and found.refused[0].count == 15
    assert {(m.member, m.kind) for m in found.missed} == {("gpt", "timeout"), ("gemini", "bad_reply")}


def test_the_staircase_carries_every_run_and_booking(long):
    found = staircase.read(long)
    assert [r.number for r in found.runs] == list(range(1, 63)) and found.bookings[0].cause == "start"
    assert found.runs[0].kind == "baseline" and {r.kind for r in found.runs if r.bpb is None} == {"crash", "rejected"}


def test_a_run_without_a_measurement_is_running(tmp_path):
    from tests.views.night_rows import night as rows

    with closing(Store(rows(tmp_path / "c.db", ended=False), read_only=True)) as store:
        found = staircase.read(store)
    assert found.runs[-1].kind == "running" and any(b.cause == "back" for b in found.bookings)


def test_how_to_repeat_names_commit_seed_versions_and_conditions(long):
    found = repeat.read(long)
    assert len(found.commit) == 40 and len(found.seed) == 64 and found.versions["torch"] == "2.13.0"
    assert found.conditions["device"] == "NVIDIA H200" and found.data["corpus"] == "sympy" and found.ledger > 1000


def test_a_night_says_the_same_whoever_reads_it(long):
    whole = night.read(long, "first")
    assert whole.as_json()["sentences"] == night.told(whole.status, whole.costs, whole.proposals)
    assert whole.status.began == START
