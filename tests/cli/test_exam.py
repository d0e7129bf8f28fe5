"""`council exam`: forecasts of the past, blind, and no credit for guessing."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace

import pytest

from council import exam
from council.members.base import Member
from council.members.random import RandomMember
from council.types import Ballot, Brief, Entry
from tests.test_audit_night import night as made

BRIEF = Brief("s", 1, "p", "X = 1\n", (), 1.0, 0.01, 0.01, 1.0, 1.0, 2, 5)


def question(number, hit, author="other"):
    return exam.Item("s", number, BRIEF, Entry("A", f"edit {number}", "why", "other", "+X = 2"), author, hit)


class Candidate(Member):
    """Answers by a function of the entry, and remembers what it was shown."""

    kind = "candidate"

    def __init__(self, name, answer):
        super().__init__(name)
        self.answer, self.seen = answer, []

    async def propose(self, brief, turn):
        return None

    async def rank(self, brief, slate, turn):
        self.seen.append((brief, slate))
        p = self.answer(slate.entries[0].title)
        return None if p is None else Ballot(("A",), {"A": p})


def sit(member, questions, cap=1.0):
    return asyncio.run(exam.sit(member, questions, "seed", lambda text: None, cap))


QUESTIONS = [question(n, n % 3 == 0) for n in range(30)]
KNOWS = Candidate("knows", lambda title: 0.9 if int(title.split()[1]) % 3 == 0 else 0.1)


def test_who_knows_is_told_from_chance_and_who_guesses_is_not():
    rng = random.Random(3)
    sure, guess = sit(KNOWS, QUESTIONS), sit(Candidate("guesses", lambda title: rng.random()), QUESTIONS)
    assert sure.auc.value == 1 and sure.auc.low > 0.8 and not sure.at_chance
    assert guess.auc.low < 0.5 < guess.auc.high and guess.at_chance
    assert sure.calibration.brier < sure.calibration.base


def test_always_the_same_forecast_is_at_chance():
    mark = sit(Candidate("flat", lambda title: 0.7), QUESTIONS)
    assert mark.auc.value == 0.5 and mark.at_chance


def test_who_is_always_wrong_is_not_called_at_chance():
    mark = sit(Candidate("inverts", lambda title: 1 - KNOWS.answer(title)), QUESTIONS)
    assert mark.auc.value == 0 and mark.auc.high < 0.5 and not mark.at_chance


def exchangeable(rng, n, share=0.35):
    """A night whose outcomes say nothing of each other; each brief tells the base rate of what came before."""
    found, hits = [], 0
    for number in range(n):
        brief = replace(BRIEF, hits=hits, settled=number)
        found.append(replace(question(number, rng.random() < share), brief=brief))
        hits += found[-1].hit
    return found


def by_base_rate(questions, noise=0.0, sight=0.0, seed=0):
    """The mark of a candidate that forecasts the base rate, with noise, and with some sight of the outcome."""
    rng = random.Random(seed)
    rates = [q.brief.base_rate + rng.gauss(0, noise) + sight * q.hit for q in questions]
    return exam.mark(
        "m", len(questions), [(p, int(q.hit), q.brief.base_rate) for p, q in zip(rates, questions, strict=True)], 0.0
    )


@pytest.mark.parametrize("noise", (0.0, 0.03))
def test_who_forecasts_the_base_rate_is_at_chance_though_its_area_is_below_one_half(noise):
    rng = random.Random(11)
    marks = [by_base_rate(exchangeable(rng, 60), noise, seed=n) for n in range(200)]
    areas = [m.auc.value for m in marks]
    assert sum(areas) / len(areas) < 0.47, "the base rate is lower before a hit than before a miss"
    assert sum(m.auc.high < 0.5 for m in marks) > 0.12 * len(marks), "one half alone would call so many worse"
    assert sum(not m.at_chance for m in marks) <= 0.06 * len(marks)


def test_who_sees_something_beside_the_base_rate_is_told_from_chance():
    rng = random.Random(12)
    marks = [by_base_rate(exchangeable(rng, 60), 0.03, sight=0.06, seed=n) for n in range(50)]
    assert sum(m.auc.low > 0.5 and not m.at_chance for m in marks) >= 40


def test_the_base_rate_alone_sits_the_same_exam():
    questions = exchangeable(random.Random(13), 60)
    assert exam.reference(questions).auc == by_base_rate(questions).auc
    mark = by_base_rate(questions, 0.03)
    assert mark.base_auc == exam.reference(questions).auc.value != mark.auc.value


def test_the_order_is_drawn_anew_for_each_and_repeats_with_the_seed():
    one, again, other = (Candidate(n, lambda title: 0.5) for n in ("ann", "ann", "bob"))
    for member in (one, again, other):
        sit(member, QUESTIONS)
    titles = [[slate.entries[0].title for _, slate in m.seen] for m in (one, again, other)]
    assert titles[0] == titles[1] != titles[2] and titles[0] != [q.entry.title for q in QUESTIONS]


def test_own_edits_are_not_asked_about_and_silence_is_no_answer():
    member = Candidate("ann", lambda title: None if title == "edit 1" else 0.5)
    mark = sit(member, [question(n, n % 2 == 0, "ann" if n > 5 else "bob") for n in range(10)])
    assert (mark.asked, mark.answered) == (6, 5)


def test_whoever_breaks_answers_nothing_and_the_exam_goes_on():
    mark = sit(Candidate("breaks", lambda title: {}["x"]), QUESTIONS)
    assert mark.answered == 0 and mark.auc is None and mark.at_chance


def test_an_exam_never_costs_more_than_its_cap():
    class Pays(Candidate):
        async def rank(self, brief, slate, turn):
            call = await self.recorder.sent(turn, 1, "p", "m", {}, 0.3)
            self.recorder.answered(call, None, 0.25, 1.0)
            return await super().rank(brief, slate, turn)

    mark = sit(Pays("pays", lambda title: 0.5), QUESTIONS, cap=1.0)
    assert mark.answered == 3 and mark.cost_usd == pytest.approx(0.75) and "$0.3" in mark.stopped


def test_intervals_cover_the_true_area():
    rng, covered, nights = random.Random(5), 0, 300
    for _ in range(nights):  # normal scores one apart: the true area is Φ(1/√2) = .7602
        found = exam.area([rng.gauss(1, 1) for _ in range(15)], [rng.gauss(0, 1) for _ in range(25)])
        covered += found.low <= 0.7602 <= found.high
    assert 0.85 <= covered / nights <= 0.97


def test_one_outcome_alone_has_no_area():
    assert exam.area([0.5], []) is None and sit(KNOWS, [question(0, True)]).at_chance


def test_built_in_members_can_sit():
    night = exchangeable(random.Random(14), 60)
    mark = sit(RandomMember("random"), night)
    assert mark.answered == 60 and mark.at_chance and mark.auc == exam.reference(night).auc


def asked_of(folder):
    from council.repo import Repo
    from council.room import Room
    from council.store import Store

    store = Store(folder / ".council/council.db", read_only=True)
    room = Room(store, Repo.open(folder), store.one("sessions"), {}, (), None, "", None, "", "", print)
    return [exam.item(room, run) for run in exam.settled(room)]


def test_a_question_holds_what_was_known_then_and_nothing_later(tmp_path):
    found = asked_of(made(tmp_path))
    assert len(found) >= 6 and any(q.hit for q in found) and not all(q.hit for q in found)
    for item in found:
        assert all(past.round < item.brief.round and not past.mine for past in item.brief.history)
        assert item.author not in repr(replace(item, author="")).replace("RATE", "")


def test_the_command_prints_auc_with_its_interval_and_json(tmp_path, council):
    folder = made(tmp_path)
    told = council(folder, "exam", "--session", "night")
    assert told.exit_code == 0 and "at chance" in told.stdout and "AUC" in told.stdout
    assert "base rate alone" in told.stdout
    found = json.loads(council(folder, "exam", "ann", "--json").stdout)
    assert [m["member"] for m in found["members"]] == ["ann"] and found["members"][0]["answered"] > 0
    assert found["base_rate"]["answered"] == found["experiments"]


def test_somebody_who_is_not_here_is_named(tmp_path, council):
    told = council(made(tmp_path), "exam", "zoe")
    assert told.exit_code == 2 and "zoe" in told.output and "ann" in told.output
