"""`run` and `stop` as a user meets them; the session itself is replaced by one that ends at once."""

from __future__ import annotations

import json
import os
import signal
from contextlib import closing

import pytest

from council import session
from council.errors import AlreadyRunning, StoreError
from council.events import Event
from council.store import Store
from tests.helpers import make_lab
from tests.views.night_rows import SESSION

PLAN = session.Plan(
    session=SESSION,
    resumed=False,
    rounds=6,
    done=0,
    budget=15.0,
    members=(("alpha", "random", ""), ("opus", "anthropic", "ANTHROPIC_API_KEY is not set")),
    judges=("alpha",),
    rule="borda",
    device="cpu",
    sandbox="none",
    notes=(),
    ahead=6,
    waiting=60.0,
)


@pytest.fixture
def asked(monkeypatch):
    """Requests that reached the session, whose end can be set."""
    found: dict = {"requests": [], "ending": session.Ending(SESSION, 0, "2 rounds done")}

    def run(request, emit):
        found["requests"].append(request)
        emit(Event("step", "x3 trial: raise\x1b[2J LR", round=1, step="run"))
        return found["ending"]

    monkeypatch.setattr(session, "plan", lambda request: found["requests"].append(request) or PLAN)
    monkeypatch.setattr(session, "run", run)
    return found


def test_dry_run_tells_the_plan_and_starts_nothing(council, lab, asked):
    result = council(lab, "run", "--dry-run")
    assert result.exit_code == 0 and len(asked["requests"]) == 1
    for told in ("alpha (random)", "opus (ANTHROPIC_API_KEY is not set)", "unsandboxed", "lower is better", "6 rounds"):
        assert told in result.stdout.replace("\n", " ")


def test_plan_and_steps_go_to_stderr_and_the_summary_to_stdout(council, lab, asked):
    result = council(lab, "run", "--offline", "--rounds", "2")
    assert "Starting session" in result.stderr and "x3 trial" in result.stderr and "\x1b" not in result.stderr
    for told in ("baseline", "did not hold", "council run --resume", "council leaderboard", "built-in members only"):
        assert told in result.stdout.replace("\n", " ")


def report_of(lab):
    return lab / ".council" / "reports" / f"{SESSION}.html"


@pytest.mark.parametrize("display", ["plain", "json", "none"])
def test_the_report_is_written_when_a_run_ends(council, lab, asked, display):
    council(lab, "run", "--display", display)
    assert SESSION in report_of(lab).read_text()


def test_the_report_is_written_when_an_error_ends_the_run(council, lab, asked, monkeypatch):
    def fail(request, emit):
        emit(Event("session", f"session {SESSION} starts", data={"session": SESSION}))
        raise StoreError("the disk is full")

    monkeypatch.setattr(session, "run", fail)
    result = council(lab, "run")
    assert result.exit_code == 1 and result.stderr.endswith("error: the disk is full\n")
    assert SESSION in report_of(lab).read_text()


def test_no_report_is_written_when_no_session_began(council, lab, asked, monkeypatch):
    def refuse(request, emit):
        raise AlreadyRunning("process 7 holds the lock")

    monkeypatch.setattr(session, "run", refuse)
    assert council(lab, "run").exit_code == 2 and not report_of(lab).exists()


def test_a_session_without_a_measurement_is_not_told_to_look_at_its_best(council, empty, monkeypatch):
    (empty / ".council").mkdir()
    row = {"name": SESSION, "at": 1.0, "seed": "0", "commit": "c", "config": {}, "program": "p", "versions": {}}
    with closing(Store(empty / ".council" / "council.db")) as store:
        store.insert("sessions", row)
    monkeypatch.setattr(session, "plan", lambda request: PLAN)
    monkeypatch.setattr(session, "run", lambda request, emit: session.Ending(SESSION, 1, "paused: no GPU"))
    told = council(empty, "run", "--display", "plain").stdout
    assert "council doctor" in told and "show best" not in told and "leaderboard" not in told


@pytest.mark.parametrize("code", [0, 1, 130, 143])
def test_the_exit_code_is_the_endings(council, lab, asked, code):
    asked["ending"] = session.Ending(SESSION, code, "why it ended")
    result = council(lab, "run")
    assert result.exit_code == code
    assert ("why it ended" in result.stdout) == (code != 0)


def test_json_display_prints_only_json_lines_on_stdout(council, lab, asked):
    result = council(lab, "run", "--display", "json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["kind"] for line in lines] == ["step"] and lines[0]["text"].startswith("x3 trial")
    assert result.stdout.isascii() and result.stderr == ""


def test_display_none_prints_nothing(council, lab, asked):
    result = council(lab, "run", "--display", "none")
    assert (result.stdout, result.stderr, result.exit_code) == ("", "", 0)


def test_options_reach_the_session(council, lab, asked):
    council(
        lab,
        "run",
        "--display",
        "none",
        "--rounds",
        "3",
        "--budget",
        "2.5",
        "--offline",
        "--from-worktree",
        "--session",
        "mine",
        "--i-accept-unsandboxed",
    )
    request = asked["requests"][-1]
    assert (request.rounds, request.budget, request.offline, request.session) == (3, 2.5, True, "mine")
    assert request.from_worktree and request.accept_unsandboxed and request.resume is None
    assert request.root == lab and request.config == lab / "council.yaml"


@pytest.mark.parametrize(("args", "name"), [(["--resume"], ""), (["--resume", "old"], "old"), ([], None)])
def test_resume_takes_a_name_or_none(council, lab, asked, args, name):
    council(lab, "run", "--display", "none", *args)
    assert asked["requests"][-1].resume == name


@pytest.mark.parametrize("args", [["--rounds", "0"], ["--budget", "0"], ["--resume", "a", "--session", "b"], ["-x"]])
def test_impossible_options_exit_2(council, lab, asked, args):
    assert council(lab, "run", *args).exit_code == 2 and not asked["requests"]


def test_a_council_error_becomes_words_and_its_exit_code(council, lab, asked, monkeypatch):
    def refuse(request):
        raise AlreadyRunning("process 7 holds the lock", kept="Nothing changed.", hint="Use council stop.")

    monkeypatch.setattr(session, "plan", refuse)
    result = council(lab, "run")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == ["error: process 7 holds the lock", "Nothing changed.", "Use council stop."]


def test_an_unexpected_error_is_one_line_without_a_traceback(council, lab, asked, monkeypatch):
    monkeypatch.setattr(session, "plan", lambda request: {}["missing\x1b"])
    result = council(lab, "run")
    assert result.exit_code == 1 and "KeyError" in result.stderr and "Traceback" not in result.stderr
    assert "\x1b" not in result.stderr
    assert "Traceback" in council(lab, "run", COUNCIL_TRACEBACK="1").stderr


def test_an_interrupt_exits_130(council, lab, asked, monkeypatch):
    def interrupt(request):
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "plan", interrupt)
    assert council(lab, "run").exit_code == 130


def test_a_second_run_is_refused_before_it_tells_its_plan(council, lab, monkeypatch):
    def refuse(request, emit):
        raise AlreadyRunning("process 7 holds the lock")

    monkeypatch.setattr(session, "plan", lambda request: PLAN)
    monkeypatch.setattr(session, "run", refuse)
    monkeypatch.setattr("council.lock.holder", lambda path: 7)
    result = council(lab, "run")
    assert result.exit_code == 2 and result.stderr == "error: process 7 holds the lock\n"


def test_stop_says_when_nothing_runs(council, lab):
    result = council(lab, "stop")
    assert result.exit_code == 0 and "no session is running" in result.stdout


def test_stop_interrupts_the_holder_of_the_lock(council, lab, monkeypatch):
    sent = []
    monkeypatch.setattr("council.lock.holder", lambda path: 4242)
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    assert "4242" in council(lab, "stop").stdout and sent == [(4242, signal.SIGINT)]


@pytest.mark.parametrize("args", [["--dry-run"], ["--display", "plain"], ["--display", "none"]])
def test_a_file_where_the_council_keeps_its_database_is_refused_with_advice(council, tmp_path, args):
    root = make_lab(tmp_path / "lab", dict.fromkeys(("ann", "bob"), "council.testing.scripted:ScriptedMember"))
    (root / ".council").write_text("mine")
    result = council(root, "run", "--i-accept-unsandboxed", *args)
    assert result.exit_code in (1, 2) and "move it away" in result.stderr
    assert (root / ".council").read_text() == "mine"
