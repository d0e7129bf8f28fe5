"""What the council learns and what it confirms, tampered with under a rebuilt chain: each lie is found by arithmetic.

The night has three rounds and a closing of three pairs that confirms; `rebuild` computes the ledger's chain anew, so
that only the recomputation of the numbers themselves can tell.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from council import session
from council.repo import Repo
from council.store import Store
from tests.test_audit_night import CONFIG, Fake, Killed, audited, lab, run
from tests.test_audit_tamper import json_cell, sql, tamper

CLOSED = CONFIG + "judge: {closing_pairs: 3}\n"
TRIALS = [1.000, 1.004, 0.985, 0.980, 1.010]
PAIRS = [1.001, 0.985, 0.990, 0.996, 1.006, 0.980]
"""In the order of the runs: baseline first, then incumbent first, then baseline first."""
FIRST = len(TRIALS) + 1


@functools.cache
def _made() -> Path:
    top = Path(tempfile.mkdtemp(prefix="council-closing-"))
    atexit.register(shutil.rmtree, top, ignore_errors=True)
    folder = lab(top / "lab", CLOSED)
    assert run(folder, Fake([*TRIALS, *PAIRS]), session="night", rounds=3).exit_code == 0
    return folder


def closed_night(folder: Path) -> Path:
    """A copy of the night."""
    return shutil.copytree(_made(), folder / "night")


def rows(folder: Path, tbl: str) -> list[dict]:
    store = Store(folder / ".council/council.db", read_only=True)
    try:
        return store.rows(tbl)
    finally:
        store.close()


def test_a_closed_night_nobody_touched_adds_up(tmp_path):
    folder = closed_night(tmp_path)
    (closing,) = rows(folder, "closings")
    assert closing["confirmed"] and closing["gain"] == pytest.approx(0.016)
    assert audited(folder).problems == ()


def test_a_closed_night_that_goes_on_and_closes_again_adds_up(tmp_path):
    folder = closed_night(tmp_path)
    script = [0.982, 0.960, *(1.0, 0.96, 0.96, 1.0, 1.0, 0.96)]  # nobody proposes in the fourth round
    assert run(folder, Fake(script), resume="night", rounds=5).exit_code == 0
    assert [c["inputs"]["look"] for c in rows(folder, "closings")] == [1, 1] and audited(folder).problems == ()


@pytest.mark.parametrize("rule", ("borda", "schulze"))
def test_a_night_under_another_rule_adds_up_and_still_holds_beliefs(tmp_path, rule):
    folder = lab(tmp_path / "lab", CONFIG + f"judge: {{rule: {rule}, p_keep: 0.7}}\n")
    run(folder, Fake(TRIALS), session="night", rounds=3)
    assert all(t["rule"] == rule and t["beliefs"] for t in rows(folder, "tallies"))
    assert audited(folder).problems == ()


@pytest.mark.parametrize("at", (1, 2, 5, 14, 18, 21, 22, 23, 24))
def test_a_closing_killed_at_any_write_adds_up_before_and_after_it_goes_on(tmp_path, monkeypatch, at):
    folder, count = lab(tmp_path / "lab", CONFIG + "judge: {closing_pairs: 0}\n"), 0
    run(folder, Fake(TRIALS), session="night", rounds=3)
    (folder / "council.yaml").write_text(CLOSED)
    fake = Fake([*PAIRS, *PAIRS])

    def dying(write):
        def maybe(*arguments):
            nonlocal count
            count += 1
            if count > at:
                raise Killed
            return write(*arguments)

        return maybe

    with monkeypatch.context() as patch:
        patch.setattr(Store, "insert", dying(Store.insert))
        patch.setattr(Repo, "set_ref", dying(Repo.set_ref))
        patch.setattr(session.Night, "_close", lambda self, code, reason: None)
        with pytest.raises(Killed):
            run(folder, fake, resume="night", rounds=3)
    assert audited(folder).problems == ()
    assert run(folder, fake, resume="night", rounds=3).exit_code == 0
    assert audited(folder).problems == () and rows(folder, "closings")


def flip(pairs):
    return [[b, a] for a, b in pairs]


CASES = [
    ("a belief", json_cell("tallies", "beliefs", "round = 2", lambda b: {k: v + 0.1 for k, v in b.items()}),
     "tally", "night round 2"),
    ("a rule", sql("UPDATE tallies SET rule = 'borda' WHERE round = 2"), "tally", "night round 2"),
    ("a score", sql("UPDATE verdicts SET score = score + 0.001 WHERE number = 4"), "verdict", "night x4"),
    ("p_keep", json_cell("verdicts", "inputs", "number = 4", lambda i: {**i, "p_keep": 0.1}), "verdict", "night x4"),
    ("skill", sql("UPDATE reputation SET skill = skill + 0.01 WHERE number = 4"), "reputation", "night x4"),
    ("skill's spread", sql("UPDATE reputation SET skill_sd = skill_sd / 2 WHERE number = 4"), "reputation", "night x4"),
    ("a weight", sql("UPDATE reputation SET weight = 1 WHERE number = 4"), "reputation", "night x4"),
    ("a weight's spread", sql("UPDATE reputation SET weight_sd = 0 WHERE number = 4"), "reputation", "night x4"),
    ("a gain", sql("UPDATE closings SET gain = gain * 2"), "closing", "night x11"),
    ("a lower bound", sql("UPDATE closings SET low = low / 2"), "closing", "night x11"),
    ("a confirmation", sql("UPDATE closings SET confirmed = 0"), "closing", "night x11"),
    ("the number of pairs", sql("UPDATE closings SET pairs = 6"), "closing", "night x11"),
    ("a closing's code", json_cell("closings", "inputs", "1", lambda i: {**i, "commit": "x"}), "closing", "night x11"),
    ("a closing's level", json_cell("closings", "inputs", "1", lambda i: {**i, "level": 0.6}), "closing", "closing 1"),
    ("sides swapped", json_cell("closings", "inputs", "1", lambda i: {**i, "pairs": flip(i["pairs"])}),
     "closing", "closing 1"),
    ("a pair left out", json_cell("closings", "inputs", "1", lambda i: {**i, "pairs": i["pairs"][:2]}),
     "closing", "closing 1"),
    ("a closing gone", sql("DELETE FROM closings"), "closing", "night x11"),
    ("a closing's book gone", sql("DELETE FROM books WHERE cause = 'closing'"), "closing", "night x11"),
    ("a closing's σ", sql("UPDATE books SET sigma = sigma * 2 WHERE cause = 'closing'"), "book", "night x11"),
    ("a closing's book moved", sql("UPDATE books SET b = b - 0.001 WHERE cause = 'closing'"), "book", "night x11"),
    ("a closing run", sql("UPDATE measurements SET val_bpb = val_bpb - 0.002 WHERE number = 7"), "closing", "x11"),
    ("not on the vault", sql(f"UPDATE experiments SET split = 'validation' WHERE number = {FIRST}"), "split", "x6"),
    ("a trial on the vault", sql("UPDATE experiments SET split = 'vault' WHERE number = 4"), "split", "x4"),
    ("other conditions", sql('UPDATE measurements SET conditions = \'{"device":"x"}\' WHERE number = 8'),
     "closing", "closing 1"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "kind", "where"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_lie_about_what_was_learnt_or_confirmed_is_found(tmp_path, change, kind, where):
    folder = closed_night(tmp_path)
    tamper(folder, change, rebuild=True)
    report = audited(folder)
    assert any(p.kind == kind and where in p.where for p in report.problems), report.problems


SAID = {
    "status": "ok", "val_bpb": 1.1, "s0": 0.01, "sandbox": "bwrap", "conditions": {"a": 1},
    "fingerprint": {"corpus": "x"},
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_a_measurement_that_is_not_what_the_referee_said_is_found(tmp_path, name):
    folder = closed_night(tmp_path)
    tamper(folder, json_cell("measurements", "raw", "number = 4", lambda raw: {**raw, name: SAID[name]}), rebuild=True)
    problems = [p for p in audited(folder).problems if p.kind == "measurement"]
    expected = [] if SAID[name] in ("ok", 0.01) else ["night x4"]
    assert [p.where for p in problems] == expected and all(p.what.startswith(name) for p in problems)


def test_pairs_that_did_not_take_turns_are_found(tmp_path):
    folder = closed_night(tmp_path)
    (closing,) = rows(folder, "closings")
    pairs = closing["inputs"]["pairs"]
    assert [base < mine for base, mine in pairs] == [True, False, True]
    other = [pairs[1], pairs[0], pairs[2]]
    tamper(folder, json_cell("closings", "inputs", "1", lambda i: {**i, "pairs": other}), rebuild=True)
    assert any("turn" in p.what for p in audited(folder).problems)


@pytest.mark.parametrize("to", ("HEAD", ""))
def test_a_moved_or_missing_ref_of_the_best_is_found(tmp_path, to):
    folder = closed_night(tmp_path)
    change = ["refs/council/night/best", to] if to else ["-d", "refs/council/night/best"]
    subprocess.run(["git", "-C", str(folder), "update-ref", *change], check=True)
    assert [(p.kind, p.where) for p in audited(folder).problems] == [("ref", "refs/council/night/best")]


def test_a_best_that_nothing_confirmed_is_found(tmp_path):
    folder = lab(tmp_path / "lab")
    run(folder, Fake([1.0, 1.004, 0.985]), session="night", rounds=1)
    subprocess.run(["git", "-C", str(folder), "update-ref", "refs/council/night/best", "HEAD"], check=True)
    assert [(p.kind, p.where) for p in audited(folder).problems] == [("ref", "refs/council/night/best")]
