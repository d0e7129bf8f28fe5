"""The members that need no key: the contract over each, and what is particular to it."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from pathlib import Path

import pytest

from council import edit, syntax
from council.members import load
from council.members.optuna import STARTUP, OptunaMember
from council.members.random import RandomMember
from council.members.textbook import EDITS, TextbookMember
from council.members.textbook.member import DOUBT
from council.testing.contracts import MemberContract, brief_of, slate_of, turn_of
from council.types import FAMILIES, TITLE_LIMIT, Entry, Past, Slate

TRAIN = (Path(__file__).parents[2] / "lab" / "train.py").read_text()


def propose(member, brief, seed=1):
    return asyncio.run(member.propose(brief, turn_of("propose", seed)))


def rank(member, brief, slate, seed=1):
    return asyncio.run(member.rank(brief, slate, turn_of("rank", seed)))


class OnTrainPy(MemberContract):
    @pytest.fixture
    def briefs(self):
        return brief_of(TRAIN, experiments=0), brief_of(TRAIN), brief_of()


class TestRandom(OnTrainPy):
    @pytest.fixture
    def member(self):
        return RandomMember("chance")

    def test_it_changes_constants_only_and_a_few(self, member):
        brief = brief_of(TRAIN)
        old = syntax.constants(TRAIN)
        for seed in range(60):
            child = edit.apply(propose(member, brief, seed).edit, TRAIN)
            new = syntax.constants(child)
            assert 1 <= sum(old[name] != new[name] for name in old) <= 4
            assert new["DIM"] % new["HEAD_DIM"] == 0 and new["BATCH_ROWS"] % new["MICRO_ROWS"] == 0
            assert all(type(new[name]) is type(old[name]) for name in old)
            assert 0 < new["MUON_MOMENTUM"] < 1 and new["DEPTH"] >= 1 and new["WARMDOWN"] <= 1

    def test_it_never_repeats_what_was_measured(self, member):
        source = "STEPS = 3\n\n\ndef build(bench): ...\n\n\ndef train(model, bench): ...\n"
        brief, seen = brief_of(source, experiments=0), []
        while (proposal := propose(member, brief, 7)) is not None:
            values = syntax.constants(edit.apply(proposal.edit, source))
            assert values not in seen
            seen.append(values)
            past = replace(brief.history[0], role="trial", constants=values)
            brief = replace(brief, history=(*brief.history, past))
        assert len(seen) == 4  # 1, 2, 4 and 5 are all that lies around 3

    def test_it_sets_what_counts_on_the_device(self):
        source = "LR = 0.1\nON_CUDA = {'LR': 0.5}\n"
        assert syntax.constants(syntax.with_constant(source, "LR", 0.7, "cuda")) == {"LR": 0.1}
        assert syntax.constants(syntax.with_constant(source, "LR", 0.7, "cuda"), "cuda") == {"LR": 0.7}

    def test_it_forecasts_the_base_rate(self, member):
        brief = brief_of(TRAIN)
        assert propose(member, brief).forecast == brief.base_rate
        assert set(rank(member, brief, slate_of(brief)).forecasts.values()) == {brief.base_rate}

    def test_seeds_give_different_orders(self, member):
        brief = brief_of()
        assert len({rank(member, brief, slate_of(brief), seed).ranking for seed in range(20)}) > 5


class TestOptuna(OnTrainPy):
    @pytest.fixture
    def member(self):
        return OptunaMember("tpe")

    @staticmethod
    def history(count):
        """A night on which a MATRIX_LR near 0.03 was good and nothing else mattered."""
        values, past = syntax.constants(TRAIN), []
        for number in range(count):
            rate = 0.01 * 1.15 ** (number % 16)
            bpb = 1.8 + 0.1 * math.log(rate / 0.03) ** 2
            tried = {**values, "MATRIX_LR": rate}
            role = "trial" if number else "baseline"
            past.append(Past(1, number, role, "t", "other", False, "discard", bpb, None, None, "", tried))
        return replace(brief_of(TRAIN), history=tuple(past))

    def slate(self):
        entries = []
        for label, rate in (("A", 0.012), ("B", 0.029), ("C", 0.06)):
            diff = edit.unified(TRAIN, syntax.with_constant(TRAIN, "MATRIX_LR", rate))
            entries.append(Entry(label, "t", "h", "optimizer", diff))
        return Slate("tpe", (*entries, Entry("D", "t", "h", "other", edit.unified(TRAIN, TRAIN + "x = 1\n"))))

    def test_it_forecasts_the_base_rate_until_there_are_enough_trials(self, member):
        brief = self.history(STARTUP - 1)
        assert set(rank(member, brief, self.slate()).forecasts.values()) == {brief.base_rate}
        assert propose(member, brief).forecast == brief.base_rate

    def test_it_prefers_what_lies_near_good_trials(self, member):
        brief = self.history(32)
        ballot = rank(member, brief, self.slate())
        assert ballot.ranking[0] == "B"
        assert ballot.forecasts["B"] > brief.base_rate > ballot.forecasts["A"]
        assert ballot.forecasts["D"] == brief.base_rate

    def test_a_crash_counts_against_its_neighbourhood(self, member):
        brief = self.history(32)
        crashed = tuple(
            replace(past, verdict="crash", bpb=None) if 0.025 < past.constants["MATRIX_LR"] < 0.035 else past
            for past in brief.history
        )
        before = rank(member, brief, self.slate()).forecasts["B"]
        assert rank(member, replace(brief, history=crashed), self.slate()).forecasts["B"] < before

    def test_it_learns(self, member):
        """On a bowl in two constants, what TPE suggests late is better than what it draws at first."""
        source = "RATE = 0.1\nSCALE = 1.0\n\n\ndef build(bench): ...\n\n\ndef train(model, bench): ...\n"
        brief, scores = brief_of(source, experiments=0), []
        for number in range(30):
            values = syntax.constants(edit.apply(propose(member, brief, number).edit, source))
            score = math.log(values["RATE"] / 0.16) ** 2 + math.log(values["SCALE"] / 0.7) ** 2
            scores.append(score)
            past = Past(1, number + 2, "trial", "t", "other", True, "discard", 1.5 + score, None, None, "", values)
            brief = replace(brief, history=(*brief.history, past), settled=number + 1)
        assert sum(scores[-10:]) < 0.5 * sum(scores[:10])


class TestTextbook(OnTrainPy):
    @pytest.fixture
    def member(self):
        return TextbookMember("book")

    def test_the_book_is_in_order(self):
        assert len(EDITS) >= 24 and len({entry.title for entry in EDITS}) == len(EDITS)
        for entry in EDITS:
            assert entry.family in FAMILIES and 0 < entry.prior < 1
            assert len(entry.title) <= (TITLE_LIMIT - 3) // 2, "two titles must fit into one"
            assert 2 <= entry.hypothesis.count(". ") + 1 <= 3 and entry.hypothesis.endswith(".")

    def test_it_goes_through_the_book_then_pairs_then_abstains(self, member):
        source = "MATRIX_LR = 0.02\nFINAL_LR = 0.1\n\n\ndef build(bench): ...\n\n\ndef train(model, bench): ...\n"
        brief, titles = brief_of(source, experiments=0), []
        while (proposal := propose(member, brief, len(titles))) is not None:
            titles.append(proposal.title)
            past = replace(brief.history[0], title=proposal.title, mine=True)
            brief = replace(brief, history=(*brief.history, past))
        singles = [title for title in titles if " + " not in title]
        pairs = [title for title in titles if " + " in title]
        assert len(singles) == 4 and titles[:4] == singles
        assert 0 < len(pairs) <= 6 and len(set(titles)) == len(titles)

    def test_what_another_member_ran_is_not_its_own(self, member):
        brief = brief_of(TRAIN, experiments=0)
        title = propose(member, brief).title
        others = replace(brief.history[0], title=title, mine=False)
        assert propose(member, replace(brief, history=(others,))).title == title
        own = replace(others, mine=True)
        assert propose(member, replace(brief, history=(own,))).title != title

    def test_it_trusts_families_that_did_well(self, member):
        past = [
            Past(1, n, "trial", "t", family, False, kind, 1.8, delta, None, "")
            for n, (family, kind, delta) in enumerate([("batch", "keep", 0.1), ("attention", "discard", -0.1)] * 4)
        ]
        brief = replace(brief_of(), history=tuple(past), hits=4, settled=8)
        entries = tuple(Entry(name[0], "t", "h", name, "") for name in ("attention", "batch", "data order"))
        ballot = rank(member, brief, Slate("book", entries))
        assert ballot.ranking == ("b", "d", "a")
        assert ballot.forecasts["d"] == pytest.approx(brief.base_rate)
        assert ballot.forecasts["b"] == pytest.approx((4 + DOUBT * brief.base_rate) / (4 + DOUBT))


@pytest.mark.parametrize(
    ("kind", "found"), [("random", RandomMember), ("optuna", OptunaMember), ("textbook", TextbookMember)]
)
def test_built_ins_are_found_and_need_nothing(kind, found):
    assert load(kind) is found
    assert found.kind == kind and not found.is_llm and not found.needs_network and found(kind).absent() is None
