"""What one round does, from the graphs' nodes to the branch: the ordinary course of a session."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from council import deliberation, experiment
from tests.helpers import FakeExecutor, Ran, change, git, prefer

WITHIN = 1e-9


@pytest.mark.parametrize(
    ("graph", "steps"),
    [
        (deliberation, ["brief", "propose", "guard", "repair", "debate", "rank", "tally"]),
        (experiment, ["run", "repair", "verdict", "keep", "settle"]),
    ],
)
def test_a_graph_has_one_node_per_step(graph, steps):
    nodes = graph.build(SimpleNamespace()).get_graph().nodes
    assert [name for name in nodes if not name.startswith("__")] == steps


def test_two_runs_of_the_baseline_open_the_book(night):
    lab = night(ann={"propose": change(GAIN=2)}, bob={}, executor=FakeExecutor({1: Ran(bpb=1.0), 2: Ran(bpb=1.004)}))
    assert lab.run().exit_code == 0
    book = lab.rows("books")[0]
    assert (book["cause"], book["number"], book["since"], book["round"]) == ("start", 2, 1, 0)
    assert book["b"] == book["b_base"] == pytest.approx(1.002, abs=WITHIN)
    assert book["commit"] == git(lab.root, "rev-parse", "HEAD").strip()
    assert book["sigma"] ** 2 == pytest.approx((4 * 0.008**2 + 2 * 0.002**2) / 5)


def test_a_kept_edit_moves_the_branch_and_a_discarded_one_does_not(night):
    lab = night(ann={("propose", 1): change(GAIN=5), ("propose", 2): change(GAIN=-5)}, bob={})
    lab.run(rounds=2)
    refs = lab.refs()
    assert [row["kind"] for row in lab.rows("verdicts")] == ["keep", "discard"]
    assert refs["refs/heads/council/k"] == refs["refs/council/k/x3"] != refs["refs/council/k/x4"]
    assert git(lab.root, "show", "council/k:lab/train.py").count("GAIN = 5") == 1
    assert git(lab.root, "diff", "--name-only", "HEAD", "council/k").split() == ["lab/train.py"]


def test_every_experiment_and_the_end_have_a_ref_and_no_other_exists(night):
    lab = night(ann={("propose", 1): change(GAIN=5), ("propose", 2): change(GAIN=-5)}, bob={})
    lab.run(rounds=2)
    named = {f"refs/council/k/x{row['number']}": row["commit"] for row in lab.rows("experiments")}
    assert len(named) == 4
    assert {name: c for name, c in lab.refs().items() if not name.startswith("refs/heads/")} == {
        **named, "refs/council/k/end": lab.refs()["refs/council/k/end"],
    }  # fmt: skip
    assert set(git(lab.root, "for-each-ref", "--format=%(refname)", "refs/heads").split()) == {
        "refs/heads/main",
        "refs/heads/council/k",
    }


def test_the_users_checkout_index_head_hooks_and_signing_have_no_part_in_it(night):
    lab = night(ann={"propose": change(GAIN=5)}, bob={})
    (lab.root / "notes.txt").write_text("half done\n")
    git(lab.root, "add", "notes.txt")
    (lab.root / "draft.txt").write_text("not added\n")
    hook = lab.root / ".git" / "hooks" / "reference-transaction"
    for name in ("pre-commit", "post-checkout", "commit-msg", hook.name):
        hook.with_name(name).write_text("#!/bin/sh\nexit 1\n")
        hook.with_name(name).chmod(0o755)
    for key, value in {"commit.gpgSign": "true", "gpg.program": "false", "core.hooksPath": str(hook.parent)}.items():
        git(lab.root, "config", key, value)
    before = (git(lab.root, "status", "--porcelain=v2", "--branch"), (lab.root / ".git" / "index").read_bytes())
    head = (lab.root / ".git" / "HEAD").read_text()
    assert lab.run().exit_code == 0
    assert "refs/heads/council/k" in lab.refs()
    assert (lab.root / ".git" / "HEAD").read_text() == head
    assert (git(lab.root, "status", "--porcelain=v2", "--branch"), (lab.root / ".git" / "index").read_bytes()) == before
    assert not (lab.root / ".council" / "worktrees").exists() or not list((lab.root / ".council/worktrees").iterdir())


def test_one_valid_proposal_is_a_tally_of_one_and_runs(night):
    lab = night(ann={"propose": change(GAIN=3)}, bob={})
    lab.run()
    tally, proposal = lab.one("tallies"), lab.one("proposals")
    assert tally["ranking"] == [tally["pick"]] == [proposal["id"]]
    assert lab.runs() == [("baseline", "ok"), ("baseline", "ok"), ("trial", "ok")]


def test_without_a_valid_proposal_there_is_no_tally_and_the_incumbent_runs_again(night):
    lab = night(ann={}, bob={"propose": change("the same code", WIDTH=64)})
    lab.run()
    assert not lab.rows("tallies") and not lab.rows("verdicts")
    assert lab.runs()[-1] == ("replicate", "ok")
    last = lab.rows("books")[-1]
    assert last["cause"] == "replicate" and last["commit"] == lab.one("sessions")["commit"]
    assert last["b_base"] == pytest.approx(sum(r["val_bpb"] for r in lab.rows("measurements")) / 3)


def test_a_replicate_that_spoils_the_book_moves_the_branch_back_to_the_baseline(night):
    script = {1: Ran(bpb=1.0), 2: Ran(bpb=1.004), 3: Ran(bpb=0.994), 4: Ran(bpb=1.020)}
    lab = night(ann={("propose", 1): change(GAIN=3)}, bob={}, executor=FakeExecutor(script))
    lab.run(rounds=1)
    assert lab.refs()["refs/heads/council/k"] == lab.refs()["refs/council/k/x3"]
    lab.run(rounds=2, resume="k")
    causes = [(row["cause"], row["number"]) for row in lab.rows("books")]
    assert causes == [("start", 2), ("trial", 3), ("replicate", 4), ("back", 4)]
    assert lab.refs()["refs/heads/council/k"] == lab.one("sessions")["commit"] == lab.rows("books")[-1]["commit"]
    assert lab.rows("books")[-1]["b"] == pytest.approx(1.002)
    assert "back to the baseline" in lab.said()


def test_the_pick_is_what_the_judges_rank_first(night):
    first = {"rank": prefer("GAIN = 2", "GAIN = 3", "GAIN = 1")}
    lab = night(**{n: {"propose": change(GAIN=g), **first} for n, g in {"ann": 1, "bob": 2, "cat": 3}.items()})
    lab.run()
    titles = {row["id"]: row["title"] for row in lab.rows("proposals")}
    assert [titles[p] for p in lab.one("tallies")["ranking"]] == ["GAIN = 2", "GAIN = 3", "GAIN = 1"]
    assert lab.rows("experiments")[-1]["proposal"] == lab.one("tallies")["pick"]


def test_every_forecast_of_what_ran_is_settled_with_its_brier(night):
    first = {"rank": prefer("GAIN = 5")}
    members = {n: {"propose": change(GAIN=g, forecast=0.7), **first} for n, g in {"ann": 5, "bob": 1, "cat": 2}.items()}
    lab = night(**members)
    lab.run()
    settled = {row["judge"]: row for row in lab.rows("settlements")}
    assert {judge: (row["p"], row["own"], row["outcome"]) for judge, row in settled.items()} == {
        "ann": (0.7, 1, 1), "bob": (0.8, 0, 1), "cat": (0.8, 0, 1),
    }  # fmt: skip
    assert settled["ann"]["brier"] == pytest.approx(0.09) and settled["bob"]["brier"] == pytest.approx(0.04)
    assert {row["r"] for row in settled.values()} == {3.0}
    assert {r["member"]: (r["settled"], r["brier"]) for r in lab.rows("reputation")} == {
        name: (1, pytest.approx(row["brier"])) for name, row in settled.items()
    }


def test_each_step_of_a_commit_is_tied_to_the_ledger(night):
    lab = night(ann={"propose": change(GAIN=5)}, bob={})
    lab.run()
    hashes = {(r["seq"], r["hash"]) for r in lab.rows("ledger", "seq")}
    for name, commit in lab.refs().items():
        if name.startswith("refs/council/"):
            body = git(lab.root, "log", "-1", "--format=%(trailers:key=Council-Ledger,valueonly)", commit).split()
            assert (int(body[0]), body[1]) in hashes, name
    member = git(lab.root, "log", "-1", "--format=%(trailers:key=Council-Member,valueonly)", "refs/council/k/x3")
    assert member.strip() == "ann"
