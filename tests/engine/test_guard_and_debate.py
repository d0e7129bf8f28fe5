"""How proposals become those that stand for a vote: guard, repair, debate, and what each judge then sees."""

from __future__ import annotations

from dataclasses import replace

import pytest

from council.types import Block, Critique, Edit, Proposal, Response
from tests.helpers import FakeExecutor, change, git

MISSING = Edit(blocks=(Block("DEPHT = 2", "DEPTH = 3"),))


def with_edit(edit, title="An edit"):
    return lambda brief, *_: Proposal(title, "It may help.", "other", edit, 0.5)


def checks(lab, member):
    """(step, valid, reason) of what a member proposed."""
    rows = {row["id"]: row["step"] for row in lab.rows("proposals", member=member)}
    return [(rows[c["proposal"]], c["valid"], c["reason"]) for c in lab.rows("checks") if c["proposal"] in rows]


REFUSED = (
    (MISSING, "does not occur; the nearest region is:\n"),
    (Edit(blocks=(Block("GAIN", "LOSS"),)), "occurs 3 times"),
    (Edit(whole="def build(:\n"), "does not parse: line 1"),
    (Edit(whole="def build(bench): ...\n"), "does not define train"),
    (Edit(whole="import torch\ntorch.manual_seed(1)\ndef build(b): ...\ndef train(m, b): ...\n"), "line 2 seeds"),
    (Edit(whole="x = 1\n", path="lab/bpb.py"), "only lab/train.py may change"),
    (Edit(), "SEARCH/REPLACE blocks or one whole file"),
    (Edit(blocks=(Block("WIDTH = 64", "WIDTH = 65"),)), "the smoke says no"),
    (Edit(whole="x = 1\n" * 20_000), "the limit is 65536"),
)


def test_an_invalid_edit_goes_back_to_its_author_once_with_the_exact_reason_and_is_then_out(night):
    executor = FakeExecutor(refuse=lambda source: "the smoke says no" if "WIDTH = 65" in source else "")
    authors = {
        f"m{n}": {
            "propose": with_edit(edit),
            "repair": with_edit(Edit(whole=f"def build{n}(bench):\n    return 1 +\n")),
        }
        for n, (edit, _) in enumerate(REFUSED)
    }
    lab = night(bob={"propose": change(GAIN=1)}, **authors, executor=executor)
    lab.run()
    for author, (edit, reason) in zip(lab.members[1:], REFUSED, strict=True):
        ((_, old, told, turn),) = author.turns("repair")
        assert old.edit == edit and reason in told and turn.complaint == told
        first, second = checks(lab, author.name)
        assert first == ("propose", 0, told) and second[:2] == ("repair", 0)
        one, two = lab.rows("proposals", member=author.name)
        assert (two["step"], two["replaces"]) == ("repair", one["id"])
    assert lab.one("tallies")["ranking"] == [lab.one("proposals", member="bob")["id"]]


def test_a_repaired_edit_stands_for_the_vote(night):
    lab = night(ann={"propose": with_edit(MISSING), "repair": change(GAIN=4)}, bob={})
    lab.run()
    assert [check[:2] for check in checks(lab, "ann")] == [("propose", 0), ("repair", 1)]
    assert lab.one("tallies")["pick"] == lab.one("proposals", step="repair")["id"]


def test_code_measured_before_is_refused_whoever_proposes_it_again(night):
    lab = night(
        ann={("propose", 1): change(GAIN=-3), ("propose", 2): change(GAIN=1)},
        bob={("propose", 2): change(GAIN=-3), "repair": None},
    )
    lab.run(rounds=2)
    assert lab.rows("verdicts")[0]["kind"] == "discard"
    ((step, valid, reason),) = checks(lab, "bob")
    assert (step, valid) == ("propose", 0) and "the same code as experiment 3 (trial)" in reason


def test_of_two_equal_proposals_of_a_round_the_second_is_refused(night):
    def layout(brief, *_):
        found = change(GAIN=2)(brief)
        return replace(found, edit=Edit(whole=brief.source.replace("GAIN = 0", "# so\nGAIN   =   2")))

    lab = night(ann={"propose": change("mine", GAIN=2)}, bob={"propose": layout})
    lab.run()
    assert checks(lab, "ann") == [("propose", 1, "")]
    assert checks(lab, "bob")[0][1] == 0 and "a proposal of this round (mine)" in checks(lab, "bob")[0][2]


def test_an_author_may_not_repeat_its_refused_edit_as_a_repair(night):
    executor = FakeExecutor(refuse=lambda source: "no" if "GAIN = 2" in source else "")
    lab = night(ann={"propose": change(GAIN=2), "repair": change(GAIN=2)}, bob={}, executor=executor)
    lab.run()
    assert "the same code" in checks(lab, "ann")[1][2]


def test_the_debate_is_kept_as_a_thread_and_a_valid_revision_stands(night):
    revised = lambda brief, *_: Response("You are right.", change("narrower", GAIN=2)(brief))  # noqa: E731
    lab = night(
        ann={"propose": change("wide", GAIN=1), "respond": revised},
        bob={"critique": (Critique("A", "Too wide."), Critique("Z", "There is no Z."))},
        cat={"critique": (Critique("A", "Why?"),)},
    )
    lab.run()
    first, second = lab.rows("proposals", member="ann")
    assert [(c["member"], c["proposal"], c["text"]) for c in lab.rows("critiques")] == [
        ("bob", first["id"], "Too wide."), ("cat", first["id"], "Why?"),
    ]  # fmt: skip
    answer = lab.one("responses")
    assert (answer["proposal"], answer["revised"], answer["text"]) == (first["id"], second["id"], "You are right.")
    assert (second["step"], second["attempt"], second["replaces"]) == ("debate", 2, first["id"])
    assert lab.one("tallies")["ranking"] == [second["id"]]
    ((_, shown, comments, _),) = lab.members[0].turns("respond")
    assert shown.title == "wide" and [c.text for c in comments] == ["Too wide.", "Why?"]


def test_a_judge_sees_what_was_said_without_names_and_under_its_own_labels(night):
    def says(_, slate, __):
        labels = {e.title: e.label for e in slate.entries}
        wide, other = labels["wide"], labels["other"]
        return (Critique(wide, f"Proposal {wide} is the idea of Proposal {other}."), Critique(other, "Fine by me."))

    def second(_, slate, __):
        return (Critique(next(e.label for e in slate.entries if e.title == "wide"), "A second word."),)

    revised = lambda brief, *_: Response("You are right.", change("wide too", GAIN=2)(brief))  # noqa: E731
    lab = night(
        ann={"propose": change("wide", GAIN=1), "respond": revised},
        bob={"propose": change("other", GAIN=3)},
        cat={"critique": says},
        dan={"critique": second},
    )
    lab.run()
    seen = 0
    for member in lab.members:
        ((_, slate, _),) = member.turns("rank")
        shown = {e.title: e for e in slate.entries}
        for entry in slate.entries:
            text = "\n".join([*entry.comments, entry.answer])
            assert not any(name in text for name in ("ann", "bob", "cat", "dan"))
        if wide := shown.get("wide too"):
            meant = f"Proposal {shown['other'].label}" if "other" in shown else "another proposal"
            assert wide.comments == ("A second word.", f"this proposal is the idea of {meant}.")
            assert wide.answer == "You are right."
            seen += 1
        if other := shown.get("other"):
            assert (other.comments, other.answer) == (("Fine by me.",), "")
        for _, before, _ in member.turns("critique"):
            assert not any(e.comments or e.answer for e in before.entries)
    assert seen == 3


def test_an_invalid_revision_is_kept_but_the_original_stands(night):
    revised = lambda brief, *_: Response("So?", with_edit(MISSING)(brief))  # noqa: E731
    lab = night(ann={"propose": change(GAIN=1), "respond": revised}, bob={"critique": (Critique("A", "Too wide."),)})
    lab.run()
    first, second = lab.rows("proposals", member="ann")
    assert checks(lab, "ann")[1][:2] == ("debate", 0) and lab.one("responses")["revised"] == second["id"]
    assert lab.one("tallies")["pick"] == first["id"]
    assert not lab.members[0].turns("repair")


def test_an_author_whom_nobody_criticised_is_not_asked(night):
    lab = night(ann={"propose": change(GAIN=1), "respond": Response("!")}, bob={"critique": ()})
    lab.run()
    assert not lab.members[0].turns("respond") and not lab.rows("responses")


def test_a_member_with_nothing_to_say_in_the_debate_is_not_asked_again_on_resume(night):
    lab = night(ann={"propose": change(GAIN=1)}, bob={"critique": ()})
    lab.run(rounds=1)
    lab.run(rounds=1, resume="k")
    assert len(lab.members[1].turns("critique")) == 1
    assert len(lab.members[0].turns("propose")) == len(lab.members[0].turns("rank")) + 1 == 1


def test_each_slate_leaves_out_the_judges_own_and_has_an_order_of_its_own(night):
    names = ("ann", "bob", "cat", "dan", "eve", "fay")
    lab = night(**{name: {"propose": change(GAIN=gain)} for gain, name in enumerate(names, 1)})
    lab.run()
    author = {row["id"]: row["member"] for row in lab.rows("proposals")}
    orders = []
    for slate in lab.rows("slates", step="rank"):
        labels, shown = zip(*slate["shown"], strict=True)
        assert labels == tuple("ABCDE") and [author[p] for p in slate["recused"]] == [slate["judge"]]
        assert {author[p] for p in shown} == set(names) - {slate["judge"]}
        orders.append([author[p] for p in shown])
    assert sum(order == sorted(order) for order in orders) <= 1
    places = {name: [order.index(name) for order in orders if name in order] for name in names}
    assert any(len(set(found)) > 1 for found in places.values())
    slates = [turn[1] for turn in lab.members[0].turns("rank")]
    assert not any(name in str(slates) for name in names[1:])


def test_a_member_that_is_gone_when_the_session_goes_on_neither_blocks_nor_ends_it(night):
    lab = night(ann={"propose": with_edit(MISSING)}, bob={"propose": change(GAIN=1)}, cat={})

    def stop(source):
        raise KeyError("the machine goes away here")

    lab.executor.refuse = stop
    with pytest.raises(KeyError):
        lab.run()
    lab.executor.refuse = lambda source: ""
    lab.members = lab.members[1:]
    assert lab.run(resume="k").exit_code == 0
    assert lab.one("outcomes", member="ann")["kind"] == "absent"
    assert git(lab.root, "rev-parse", "refs/council/k/x3")
