"""What status, show and leaderboard print, as data and for people."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import unicodedata
from contextlib import closing

import pytest

from tests.views.night_rows import night

ROUND_KEYS = [
    "round",
    "session",
    "verdict",
    "bpb",
    "booked_before",
    "delta",
    "sigmas",
    "belief",
    "proposals",
    "ballots",
    "experiments",
    "critiques",
    "checks",
    "outcomes",
    "calls",
    "reputation",
]
PROPOSAL_KEYS = ["label", "member", "title", "family", "diff", "state", "score", "rank", "run"]
BALLOT_KEYS = ["member", "shown", "ranking", "recused", "forecasts"]
EXPERIMENT_KEYS = ["number", "role", "commit", "verdict", "measurement"]
MEMBER_KEYS = [
    "name",
    "kind",
    "model",
    "proposals",
    "run",
    "kept",
    "skill",
    "skill_low",
    "skill_high",
    "p_best",
    "judge_weight",
    "judge_low",
    "judge_high",
    "brier",
    "bad_replies",
    "tokens_in",
    "tokens_out",
    "cost_usd",
    "brier_own",
    "forecasts",
    "settled",
    "absent",
    "brier_base",
    "rank_low",
    "rank_high",
    "kept_gain",
    "unanswered_usd",
    "usd_per_gain",
]
HUMAN = [
    ("status",),
    ("show", "0"),
    ("show", "1"),
    ("show", "2"),
    ("show", "1", "--diff"),
    ("leaderboard",),
    ("leaderboard", "--by", "judge"),
    ("leaderboard", "--by", "cost"),
]


def test_show_json_has_exactly_the_documented_keys(council, lab):
    found = json.loads(council(lab, "show", "1", "--json").stdout)
    assert list(found) == ROUND_KEYS
    assert [list(p) for p in found["proposals"]] == [PROPOSAL_KEYS] * 3
    assert [list(b) for b in found["ballots"]] == [BALLOT_KEYS] * 3
    assert [list(e) for e in found["experiments"]] == [EXPERIMENT_KEYS]
    assert found["critiques"] is None and found["reputation"] is None


def test_leaderboard_json_has_exactly_the_documented_keys(council, lab):
    found = json.loads(council(lab, "leaderboard", "--json").stdout)
    board = ["sigma", "rounds", "judges", "members", "settled", "separation", "pooled", "left_out"]
    assert list(found) == board and list(found["separation"]) == ["first", "second", "more"]
    judges = found["judges"]
    sceptic = ["sceptic_sum", "sceptic_low", "sceptic_high"]
    assert list(judges) == ["sum_weight", "low", "high", "helping", *sceptic] and judges["low"] < judges["sum_weight"]
    assert judges["helping"] is False
    assert [list(m) for m in found["members"]] == [MEMBER_KEYS] * 4
    known = {m["name"]: m for m in found["members"]}
    assert all(known[n]["skill_low"] < known[n]["skill"] < known[n]["skill_high"] for n in ("alpha", "beta"))
    assert known["alpha"]["p_best"] + known["beta"]["p_best"] == pytest.approx(1)
    assert known["=gamma"]["skill"] is None and known["=gamma"]["judge_low"] < known["=gamma"]["judge_weight"]
    assert known["delta"]["skill"] is None and known["delta"]["judge_weight"] is None


def test_leaderboard_json_by_judge_holds_the_meters(council, lab):
    found = json.loads(council(lab, "leaderboard", "--by", "judge", "--json").stdout)
    assert list(found["meters"]) == ["position", "self_preference", "independence", "regret"]
    assert found["meters"]["position"]["first"]["n"] == 1
    assert all(list(one) == ["name", "n", "value", "interval"] for one in found["meters"]["self_preference"])
    assert {one["name"] for one in found["meters"]["self_preference"]} <= {m["name"] for m in found["members"]}


@pytest.mark.parametrize("args", HUMAN, ids=" ".join)
def test_hostile_text_is_inert_on_a_terminal(council, lab, args):
    out = council(lab, *args).stdout
    assert out
    bad = [c for c in out if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert not bad


@pytest.mark.parametrize("args", [("show", "1"), ("show", "2"), ("status",), ("leaderboard",)], ids=" ".join)
def test_json_is_plain_ascii_whatever_members_wrote(council, lab, args):
    out = council(lab, *args, "--json").stdout
    assert out.isascii() and not any(ord(c) < 32 and c != "\n" or ord(c) == 127 for c in out)
    json.loads(out)


@pytest.mark.parametrize("args", [a for a in HUMAN if a[-1] != "--diff"], ids=" ".join)
@pytest.mark.parametrize("columns", [40, 80])
def test_lines_fit_the_terminal(council, lab, args, columns):
    shown = council(lab, *args, COLUMNS=str(columns)).stdout
    assert [line for line in shown.splitlines() if len(line) > columns] == []


def test_csv_cells_cannot_start_a_formula(council, lab):
    rows = list(csv.reader(io.StringIO(council(lab, "leaderboard", "--csv").stdout)))
    assert rows[0] == MEMBER_KEYS
    assert "'=gamma" in [row[0] for row in rows]
    texts = [cell for row in rows for cell in row if not re.fullmatch(r"-?\d[\d.e-]*", cell)]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in texts)


def test_leaderboard_by_judge_goes_by_weight_and_never_by_calibration(council, lab):
    rows = list(csv.DictReader(io.StringIO(council(lab, "leaderboard", "--csv", "--by", "judge").stdout)))
    weights = [float(row["judge_weight"]) for row in rows if row["judge_weight"]]
    assert len(weights) == 3 and weights == sorted(weights, reverse=True)
    assert rows[0]["brier"] == "" and rows[-1]["name"] == "delta"


@pytest.mark.parametrize("made", [False, True])
def test_missing_or_empty_database_says_how_to_start_and_exits_2(council, empty, made):
    if made:  # what a disk that was full at the first write leaves
        (empty / ".council").mkdir()
        with closing(sqlite3.connect(empty / ".council" / "council.db")) as db:
            db.execute("PRAGMA journal_mode=WAL")
    result = council(empty, "status")
    assert result.exit_code == 2 and not result.stdout
    assert "no session has run here yet" in result.stderr and "council run" in result.stderr


def test_outside_a_repository_exits_2(council, tmp_path):
    result = council(tmp_path, "status")
    assert result.exit_code == 2 and "git repository" in result.stderr and "council init" in result.stderr


@pytest.mark.parametrize("asked", ["9", "three", "-1", "1.5", "٣", "9" * 5000])
def test_wrong_round_exits_2_and_names_what_exists(council, lab, asked):
    result = council(lab, "show", "--", asked)
    assert result.exit_code == 2 and "rounds 0 to 2" in result.stderr


def test_wrong_session_exits_2_and_names_what_exists(council, lab):
    result = council(lab, "show", "1", "--session", "nope\x1b[2J")
    assert result.exit_code == 2 and "2026-11-20" in result.stderr and "\x1b" not in result.stderr


def test_foreign_database_is_refused_with_exit_2(council, empty):
    (empty / ".council").mkdir()
    (empty / ".council" / "council.db").write_bytes(b"not a database at all" * 100)
    result = council(empty, "status")
    assert result.exit_code == 2 and "database" in result.stderr


def test_last_and_best_name_rounds(council, lab):
    assert json.loads(council(lab, "show", "last", "--json").stdout)["round"] == 2
    assert json.loads(council(lab, "show", "best", "--json").stdout)["round"] == 0


def test_diff_is_coloured_only_for_a_terminal_without_no_color(council, lab, monkeypatch):
    monkeypatch.setattr("council.ui.text.watched", lambda stream: True)
    assert "\x1b[32m+LR = 2" in council(lab, "show", "1", "--diff").stdout
    assert "\x1b" not in council(lab, "show", "1", "--diff", NO_COLOR="1").stdout


def test_an_older_session_is_found_by_name(council, lab):
    night(lab / ".council" / "council.db", "second", ended=False)
    assert "Session second: interrupted" in council(lab, "status").stdout
    assert "ended" in council(lab, "status", "--session", "2026-11-20").stdout


def test_status_json_tells_the_running_experiment(council, lab):
    night(lab / ".council" / "council.db", "second", ended=False)
    found = json.loads(council(lab, "status", "--json").stdout)
    assert found["running"]["number"] == 7 and found["rounds_done"] == 2 and found["pid"] is None


def test_options_are_read_from_the_environment(council, lab):
    assert council(lab, "show", "1", COUNCIL_SHOW_DIFF="1").stdout.startswith("A: raise LR")
