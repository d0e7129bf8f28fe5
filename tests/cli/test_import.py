"""`council import`: an autoresearch log read line by line, kept read-only, and told apart from noise."""

from __future__ import annotations

import json
import math
import subprocess

import pytest

from council import importing
from council.audit import audit
from council.repo import Repo
from council.store import Store
from tests.test_audit_night import night as made

HEAD = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
LOG = (
    HEAD
    + "a1b2c3d\t0.997900\t44.0\tkeep\tbaseline\n"
    + "b2c3d4e\t0.993200\t44.2\tkeep\tincrease LR to 0.04\n"
    + "c3d4e5f\t1.005000\t44.0\tdiscard\tswitch to GeLU\n"
    + "d4e5f6a\t0.000000\t0.0\tcrash\tdouble model width (OOM)\n"
    + "e5f6a7b\t0.992900\t44.0\tkeep\t=cmd() \x1b[31mtiny\n"
)


@pytest.fixture
def empty(tmp_path):
    """A repository with one commit, in which no session has run."""
    for args in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "start"]):
        subprocess.run(["git", "-C", str(tmp_path), *args], check=True)
    return tmp_path


def write(folder, text):
    (folder / "results.tsv").write_text(text)
    return str(folder / "results.tsv")


def test_a_log_says_at_once_which_gains_exceed_the_noise(empty, council):
    told = council(empty, "import", write(empty, LOG), "--noise", "0.001", "--json")
    found = json.loads(told.stdout)
    assert [(g["line"]["commit"], g["word"]) for g in found["gains"]] == [("b2c3d4e", "exceeds"), ("e5f6a7b", "within")]
    assert found["gains"][0]["errors"] == pytest.approx(0.0047 / (0.001 * math.sqrt(2)))


def test_what_was_imported_is_a_session_that_every_face_shows(empty, council):
    told = council(empty, "import", write(empty, LOG), "--noise", "0.001")
    assert told.exit_code == 0 and "1 of 2 kept gains exceed the noise" in told.stdout and "\x1b[31m" not in told.stdout
    assert "import-results" in council(empty, "status").stdout
    assert council(empty, "leaderboard").exit_code == 0 and council(empty, "show", "2").exit_code == 0
    store = Store(empty / ".council/council.db", read_only=True)
    assert [v["kind"] for v in store.rows("verdicts")] == ["keep", "discard", "crash", "keep"]
    assert [b["b"] for b in store.rows("books")] == [0.9979, 0.9932, 0.9929]
    assert not any(v["settles"] for v in store.rows("verdicts")) and len(store.rows("members")) == 1
    store.close()


def test_an_imported_session_adds_up_and_owns_no_ref(empty, council):
    council(empty, "import", write(empty, LOG), "--noise", "unknown")
    repo = Repo.open(empty)
    store = Store(empty / ".council/council.db", read_only=True)
    assert audit(store, repo).problems == ()
    import subprocess

    for args in (
        ["commit", "-q", "--allow-empty", "-m", "x"],
        ["update-ref", "refs/council/import-results/x1", "HEAD"],
    ):
        subprocess.run(["git", "-C", str(empty), *args], check=True)
    assert [p.kind for p in audit(store, repo).problems] == ["ref"]
    store.close()


MALFORMED = [
    ("f\t1\t1\tkeep\tx", "'f' is no commit"),
    ("abcd\t1\t1\tkeep", "4 columns"),
    ("abcd\tfast\t1\tkeep\tx", "val_bpb is 'fast'"),
    ("abcd\t0\t1\tkeep\tx", "no run measures"),
    ("abcd\tnan\t1\tkeep\tx", "no run measures"),
    ("abcd\t1\tmuch\tkeep\tx", "memory_gb is 'much'"),
    ("abcd\t1\t1\tkept\tx", "the status is 'kept'"),
]


@pytest.mark.parametrize(("line", "said"), MALFORMED)
def test_a_malformed_line_is_reported_by_its_number_and_left_out(line, said):
    lines, ((number, fault),) = importing.parse(LOG + "\n" + line + "\nffff\t0.9\t1\tkeep\tlast\n")
    assert number == 8 and said in fault and [one.commit for one in lines][-1] == "ffff" and len(lines) == 6


@pytest.mark.parametrize("sign", ("\x0c", "\u2028", "\x85", "\r", "\0"), ids=ascii)
def test_no_sign_inside_a_description_ends_a_line(sign):
    lines, faults = importing.parse(LOG.replace("GeLU", f"Ge{sign}LU") + "nonsense\n")
    assert [one.number for one in lines] == [2, 3, 4, 5, 6] and [number for number, _ in faults] == [7]
    assert lines[2].description == f"switch to Ge{sign}LU"


def test_a_log_with_carriage_returns_is_read_as_one_without(empty, council):
    plain = council(empty, "import", write(empty, LOG), "--json", "--session", "plain", "--noise", "0.001")
    (empty / "results.tsv").write_bytes(LOG.replace("\n", "\r\n").encode())
    found = council(empty, "import", str(empty / "results.tsv"), "--json", "--session", "plain-2", "--noise", "0.001")
    assert json.loads(found.stdout)["gains"] == json.loads(plain.stdout)["gains"] and found.exit_code == 0


FACES = (
    ("status",),
    ("show", "best"),
    ("leaderboard",),
    ("report", "-o", "-"),
    ("report", "--format", "md", "-o", "-"),
)


@pytest.mark.parametrize("face", FACES, ids=lambda face: " ".join(face))
def test_noise_that_nobody_knows_is_not_told_as_none(empty, council, face):
    council(empty, "import", write(empty, LOG), "--noise", "unknown")
    told = council(empty, *face)
    assert told.exit_code == 0 and ("0.99290" in told.stdout or face == ("leaderboard",))
    assert "± 0.00000" not in told.stdout and "σ 0.00000" not in told.stdout


def test_status_of_an_import_counts_every_verdict_and_knows_no_noise(empty, council):
    council(empty, "import", write(empty, LOG), "--noise", "unknown")
    found = json.loads(council(empty, "status", "--json").stdout)
    assert found["booked"]["sigma"] is None and found["booked"]["best_sd"] is None
    assert found["verdicts"] == {"keep": 2, "discard": 1, "crash": 1} and found["rounds_done"] == 4
    assert "Noise σ –" in council(empty, "status").stdout


def test_an_import_is_not_the_last_session_where_another_has_run(tmp_path, council):
    folder = made(tmp_path)
    assert council(folder, "import", write(folder, LOG), "--noise", "1e-3").exit_code == 0
    for command in (("status",), ("leaderboard",), ("exam", "ann")):
        told = council(folder, *command)
        assert told.exit_code == 0 and "autoresearch" not in told.stdout and "import" not in told.stdout, command
    assert council(folder, "compare", "ann", "bob").exit_code == 0
    assert "import-results" in council(folder, "status", "--session", "import-results").stdout


def test_commits_that_ran_twice_say_what_noise_is():
    lines, _ = importing.parse(
        HEAD + "aaaa\t1.000\t1\tkeep\tb\naaaa\t1.002\t1\tdiscard\tagain\nbbbb\t0.9\t1\tkeep\tx\n"
    )
    said = importing.noise(lines)
    assert (said.source, said.runs) == ("repeats", 2) and said.sigma == pytest.approx(0.002 / math.sqrt(2))
    assert [g.line.commit for g in importing.gains(lines, said.sigma)] == ["bbbb"]


def test_without_repeats_the_scatter_of_discards_is_an_upper_bound():
    import random

    rng = random.Random(1)
    rows = "".join(f"b{n:04d}\t{1 + rng.gauss(0, 0.01):.6f}\t1\tdiscard\tx\n" for n in range(400))
    said = importing.noise(importing.parse(HEAD + "aaaa\t1.000\t1\tkeep\tb\n" + rows)[0])
    assert said.bound and 0.006 < said.sigma < 0.0085, "σ/√2 … σ, since the first run is exact here"
    few = importing.noise(importing.parse(HEAD + "aaaa\t1\t1\tkeep\tb\nbbbb\t1.1\t1\tdiscard\tx\n")[0])
    assert few.sigma is None


def test_the_best_of_many_tries_needs_more_than_a_single_try():
    tries = "".join(f"c{n:04d}\t1.5\t1\tdiscard\tx\n" for n in range(50))
    lines, _ = importing.parse(HEAD + "aaaa\t1.0\t1\tkeep\tb\nbbbb\t0.997\t1\tkeep\tx\n" + tries)
    assert importing.gains(lines, 0.001)[0].word == "once"
    assert importing.gains(lines[:2], 0.001)[0].word == "exceeds"


def test_a_name_that_is_taken_and_a_log_without_a_run_are_refused(empty, council):
    file = write(empty, LOG)
    assert council(empty, "import", file, "--noise", "0.001").exit_code == 0
    assert "exists" in council(empty, "import", file, "--noise", "0.001").output
    assert "no measured line" in council(empty, "import", write(empty, HEAD), "--session", "other").output
    assert council(empty, "import", str(empty / "nothing.tsv")).exit_code == 2


def test_without_the_noise_that_is_needed_nothing_is_recorded(empty, council):
    file = write(empty, LOG)
    told = council(empty, "import", file, "--session", "mine")
    line = f"council import {file} --session mine --noise 0.001"
    assert told.exit_code == 2 and "Nothing was recorded" in told.stderr and line in told.stderr
    assert not (empty / ".council").exists()
    assert council(empty, *line.split()[1:]).exit_code == 0, "the line to type works"


def test_noise_may_stay_unknown_when_that_is_said(empty, council):
    told = council(empty, "import", write(empty, LOG), "--noise", "unknown")
    assert told.exit_code == 0 and "nobody knows" in told.stdout and "import-results" in council(empty, "status").stdout


def test_unknown_takes_nothing_away_from_what_the_log_says(empty, council):
    text = HEAD + "aaaa\t1.000\t1\tkeep\tb\naaaa\t1.002\t1\tdiscard\tagain\n"
    found = json.loads(council(empty, "import", write(empty, text), "--noise", "unknown", "--json").stdout)
    assert found["noise"]["source"] == "repeats"


def test_equal_runs_of_one_commit_do_not_say_that_there_is_no_noise(empty, council):
    text = HEAD + "aaaa\t1.0\t1\tkeep\tb\naaaa\t1.0\t1\tdiscard\tagain\n"
    assert council(empty, "import", write(empty, text)).exit_code == 2


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "little"])
def test_noise_is_a_number_above_0_or_unknown(empty, council, value):
    told = council(empty, "import", write(empty, LOG), f"--noise={value}")
    assert told.exit_code == 2 and "nor unknown" in told.stderr


def test_a_log_of_malformed_lines_names_them(empty, council):
    told = council(empty, "import", write(empty, HEAD + "nonsense\n" * 30))
    assert told.exit_code == 2 and "no measured line" in told.stderr and "Nothing was recorded" in told.stderr
    assert "line 2: it has 1 columns" in told.stderr and "line 21: " in told.stderr and "line 22: " not in told.stderr
    assert "and 10 more lines that cannot be read; the last is 31" in told.stderr
