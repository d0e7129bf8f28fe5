"""A member may fail in any way it likes: the night notes it and goes on."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest

from council.errors import BadReply, Broke, MemberError, Refused
from council.room import Room
from council.types import TITLE_LIMIT, Ballot, Block, Critique, Edit, Proposal, Response
from tests.helpers import change, in_order

GOOD = change(GAIN=1)


def like(**other):
    """A good proposal with some parts replaced."""
    return lambda brief, *rest: replace(GOOD(brief), **other)


async def forever(*_):
    await asyncio.sleep(3600)


async def cancelled(*_):
    raise asyncio.CancelledError("a library inside the member gave up")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (None, "abstained"),
        (RuntimeError("it \ud800 broke"), "error"),
        (MemberError("not today"), "error"),
        (Refused("no"), "refused"),
        (Broke("no money"), "broke"),
        (forever, "timeout"),
        (cancelled, "error"),
    ],
)
def test_a_member_that_delivers_nothing_is_an_outcome_at_every_step(night, monkeypatch, reply, kind):
    bad = dict.fromkeys(("propose", "rank", "critique"), reply)
    lab = night(ann=bad, bob={"propose": GOOD}, cat={"propose": change(GAIN=2)})
    original = Room.ask

    async def quick(self, turn, question, read):
        self.member_seconds = 0.2
        return await original(self, turn, question, read)

    monkeypatch.setattr(Room, "ask", quick)
    assert lab.run().exit_code == 0
    found = {row["step"]: row["kind"] for row in lab.rows("outcomes", member="ann")}
    assert found == {"propose": kind, "debate": kind, "rank": kind}
    assert {row["judge"] for row in lab.rows("ballots")} == {"bob", "cat"}
    assert lab.runs()[-1] == ("trial", "ok") and lab.one("verdicts")["settles"]


def crowd(step, replies):
    """A member for each of the replies."""
    return {f"m{number:02}": {step: reply} for number, reply in enumerate(replies)}


def kinds(lab, step):
    """(member, kind) of the outcomes at a step that are not mere abstentions."""
    return {(row["member"], row["kind"]) for row in lab.rows("outcomes", step=step) if row["kind"] != "abstained"}


def test_garbage_for_a_proposal_is_a_bad_reply(night):
    bad = crowd("propose", [
        "a text", 7, {"title": "x"}, (), Edit(whole="x = 1"),
        like(title=None), like(title=7), like(hypothesis=None), like(hypothesis=["x"]),
        like(forecast=math.nan), like(forecast=None), like(forecast="high"), like(forecast=math.inf), like(forecast=70),
        like(edit=None), like(edit="x = 1"), like(edit=Edit(whole=7)), like(edit=Edit(blocks=None)),
        like(edit=Edit(blocks=("a", "b"))), like(edit=Edit(blocks=(Block(None, "x"),))), like(edit=Edit(path=None)),
        like(edit=Edit(blocks=(Block("GAIN = 0", "GAIN = 1  # \ud83d"),))), like(edit=Edit(whole="x = 1\n" * 100_000)),
    ])  # fmt: skip
    lab = night(bob={"propose": change(GAIN=2)}, **bad)
    assert lab.run().exit_code == 0
    assert kinds(lab, "propose") == {(name, "bad_reply") for name in bad}
    assert lab.one("proposals")["member"] == "bob"
    assert lab.runs()[-1] == ("trial", "ok")


def test_garbage_for_a_repair_is_a_bad_reply(night):
    lab = night(ann={"propose": change(WIDTH=64), "repair": like(forecast="high")}, bob={"propose": GOOD})
    assert lab.run().exit_code == 0
    assert [(o["step"], o["kind"]) for o in lab.rows("outcomes", member="ann")] == [("repair", "bad_reply")]


def test_garbage_for_a_comment_is_a_bad_reply(night):
    bad = crowd("critique", ["nice", 5, ("nice",), (Critique(None, "x"),), (Critique("A", None),)])
    lab = night(bob={"propose": GOOD}, **bad)
    assert lab.run().exit_code == 0
    assert kinds(lab, "debate") == {(name, "bad_reply") for name in bad}
    assert not lab.rows("critiques")


def test_garbage_for_an_answer_is_a_bad_reply(night):
    answers = crowd("respond", ["thanks", Response(None), Response("so", "x"), Response("so", Proposal)])
    bad = {name: {**reply, "propose": change(GAIN=gain)} for gain, (name, reply) in enumerate(answers.items(), 1)}
    critic = lambda brief, slate, turn: tuple(Critique(entry.label, "too wide") for entry in slate.entries)  # noqa: E731
    lab = night(bob={"critique": critic}, **bad)
    assert lab.run().exit_code == 0
    assert kinds(lab, "debate") == {(name, "bad_reply") for name in bad}
    assert not lab.rows("responses") and len(lab.rows("proposals")) == len(bad)


def test_an_unreadable_ballot_goes_back_once_and_then_the_judge_abstains(night):
    bad = crowd("rank", [
        "A", 3, Ballot(None, None), Ballot(("A",), {"A": 0.5}), Ballot(("A", "A"), {"A": 0.5, "B": 0.5}),
        Ballot(("A", "B"), {"A": 0.5}), Ballot(("A", "B"), {"A": "high", "B": 0.1}), Ballot((7, None), {"A": 1}),
        Ballot(("A", "B"), {"A": math.nan, "B": 0.1}), Ballot(("A", ["B"]), {"A": 0.5, "B": 0.1}),
    ])  # fmt: skip
    lab = night(bob={"propose": GOOD}, cat={"propose": change(GAIN=2)}, **bad)
    assert lab.run().exit_code == 0
    assert kinds(lab, "rank") == {(name, "bad_reply") for name in bad}
    assert {row["judge"] for row in lab.rows("ballots")} == {row["judge"] for row in lab.rows("forecasts")}
    assert {row["judge"] for row in lab.rows("ballots")} == {"bob", "cat"}
    for member in lab.members[2:]:
        first, second = (turns[-1] for turns in member.turns("rank"))
        assert (first.attempt, first.complaint, second.attempt) == (1, "", 2) and second.complaint


def test_a_ballot_that_is_mended_on_the_second_try_counts(night):
    lab = night(ann={("rank", 1, 1): Ballot((), {})}, bob={"propose": GOOD}, cat={"propose": change(GAIN=2)})
    lab.run()
    assert lab.one("ballots", judge="ann")["mended"] == 0 and not lab.rows("outcomes", step="rank")
    assert "exactly once" in lab.members[0].turns("rank")[1][-1].complaint


@pytest.mark.parametrize("second", [Ballot((), {}), "no ballot", BadReply("no JSON"), None], ids=repr)
def test_a_rising_ballot_is_mended_where_the_second_cannot_be_read(night, second):
    rising = Ballot(("A", "B"), {"A": 0.2, "B": 0.6})
    replies = {("rank", 1, 1): rising, ("rank", 1, 2): second}
    lab = night(ann=replies, bob={"propose": GOOD}, cat={"propose": change(GAIN=2)})
    lab.run()
    cast = lab.one("ballots", judge="ann")
    assert cast["mended"] == 1 and cast["stated"] == dict(rising.forecasts) and cast["ranking"] == ["A", "B"]
    assert len({row["p"] for row in lab.rows("forecasts", judge="ann", own=0)}) == 1
    assert not lab.rows("outcomes", step="rank")


def test_forecasts_that_rise_go_back_once_and_are_then_mended_with_the_stated_ones_kept(night):
    rising = Ballot(("A", "B"), {"A": 0.2, "B": 0.6})
    lab = night(ann={"rank": rising}, bob={"propose": GOOD}, cat={"propose": change(GAIN=2)})
    lab.run()
    ballot = lab.one("ballots", judge="ann")
    assert ballot["stated"] == {"A": 0.2, "B": 0.6} and ballot["mended"] == 1 and ballot["ranking"] == ["A", "B"]
    counted = [row["p"] for row in lab.rows("forecasts", judge="ann")]
    assert counted[0] == pytest.approx(counted[1]) and 0.2 < counted[0] < 0.6
    assert "B" in lab.members[0].turns("rank")[1][-1].complaint


def test_texts_of_members_are_cleaned_and_cut(night):
    loud = like(
        title="Set\x1b[2J\x00 it\n\n" + "x" * 500, hypothesis="\x07be\ud800cause\n" + "y" * 100_000, family="Gods"
    )
    lab = night(ann={"propose": loud, "critique": (Critique("A", "no\x1b[31m"),)}, bob={"propose": change(GAIN=2)})
    lab.run()
    row = lab.one("proposals", member="ann")
    assert row["title"].startswith("Set[2J it x") and len(row["title"]) == TITLE_LIMIT and row["title"].isprintable()
    assert row["hypothesis"].startswith("because\ny") and len(row["hypothesis"]) <= 4000 and row["family"] == "other"
    assert lab.one("critiques")["text"] == "no[31m"
    assert "\x1b" not in lab.said()


def test_when_nobody_delivers_anything_the_incumbent_runs_again(night):
    lab = night(ann={"propose": RuntimeError("x"), "rank": RuntimeError("x")}, bob={"propose": "?", "rank": in_order})
    assert lab.run(rounds=2).exit_code == 0
    assert lab.runs()[2:] == [("replicate", "ok"), ("replicate", "ok")]
