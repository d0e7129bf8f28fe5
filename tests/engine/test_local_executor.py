"""The executor on this machine: whatever becomes of the lab's process is a value or a clear word, never a traceback."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from pathlib import Path

import pytest

from council.errors import MachineFault
from council.executors import local
from council.executors.base import Job

MEASURED = (
    '{"status": "ok", "val_bpb": 1.5, "reason": null, "s0": 0.008, "fingerprint": {"b": 1, "a": 2}, '
    '"conditions": {"budget": 1}, "sandbox": "none", "train_seconds": 1, "total_seconds": 2, "log_tail": ""}'
)


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Replace `python -m lab` by a script; returns a list of its environment and arguments per call."""

    def install(script: str) -> Path:
        file, calls = tmp_path / "python", tmp_path / "calls"
        note = f"import os, sys\nopen({str(calls)!r}, 'a').write(repr((sys.argv[1:], dict(os.environ))) + '\\n')\n"
        file.write_text(f"#!{sys.executable}\n{note}{script}\n")
        file.chmod(0o755)
        monkeypatch.setattr(local.sys, "executable", str(file))
        return calls

    return install


def measure(progress=lambda line: None):
    job = Job(Path("/tree/lab/train.py"), 7, 1.0)
    return asyncio.run(local.LocalExecutor().measure(job, progress))


def smoke(source="x = 1"):
    return asyncio.run(local.LocalExecutor().smoke(source))


def test_the_labs_object_becomes_a_measurement_and_its_lines_progress(lab):
    calls = lab(
        f"print('{{\"phase\": \"train\"}}', file=sys.stderr); print('noise', file=sys.stderr)\nprint({MEASURED!r})"
    )
    seen = []
    found = measure(seen.append)
    assert (found.status, found.val_bpb, found.fingerprint) == ("ok", 1.5, '{"a": 2, "b": 1}')
    assert seen == [{"phase": "train"}]
    assert "--seed', '7'" in calls.read_text() and "--budget', '1.0'" in calls.read_text()


def test_limits_of_a_job_reach_the_lab_and_nothing_is_said_of_those_it_does_not_have(lab):
    calls = lab(f"print({MEASURED!r})")
    job = Job(Path("train.py"), 7, None, max_eval_seconds=44.0, thorough_below=1.5, is_baseline=True)
    asyncio.run(local.LocalExecutor().measure(job, lambda line: None))
    measure()
    full, plain = calls.read_text().splitlines()
    assert "'--max-eval-seconds', '44.0', '--thorough-below', '1.5', '--baseline'" in full
    assert not any(word in plain for word in ("--max-eval", "--thorough", "--baseline"))


@pytest.mark.parametrize("script", ["", "print('not json')", "print('[1]')", "os.kill(os.getpid(), 9)", "sys.exit(1)"])
def test_a_lab_that_says_nothing_of_use_is_void_with_its_last_words(lab, script):
    lab(f"print('the GPU fell off', file=sys.stderr, flush=True)\n{script}")
    found = measure()
    assert found.status == "void" and "the GPU fell off" in found.reason and found.val_bpb is None


def test_a_lab_that_cannot_start_is_void(lab, monkeypatch, tmp_path):
    monkeypatch.setattr(local.sys, "executable", str(tmp_path / "nowhere"))
    assert measure().status == "void"


def test_keys_do_not_reach_the_lab(lab, monkeypatch):
    calls = lab(f"print({MEASURED!r})")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    monkeypatch.setenv("COUNCIL_LAB_CACHE", "/somewhere")
    measure()
    assert "sk-secret" not in calls.read_text() and "/somewhere" in calls.read_text()


def test_a_smoke_that_the_machine_spoils_is_tried_once_more(lab, tmp_path):
    flag = tmp_path / "once"
    lab(f"import pathlib; f = pathlib.Path({str(flag)!r})\nif not f.exists(): f.touch(); os.kill(os.getpid(), 9)\n"
        "print('{\"status\": \"ok\"}')")  # fmt: skip
    assert smoke().ok


def test_a_smoke_that_the_machine_spoils_twice_is_its_fault(lab):
    calls = lab("print('no memory', file=sys.stderr)")
    with pytest.raises(MachineFault, match="no memory"):
        smoke()
    assert len(calls.read_text().splitlines()) == 2


def test_a_smoke_hands_the_source_over_without_a_file(lab):
    calls = lab('print(\'{"status": "crash", "reason": "\' + repr(sys.stdin.read()).strip("\'") + \'"}\')')
    assert smoke().reason == "x = 1"
    assert "'smoke', '-'" in calls.read_text()


def test_a_lab_that_ends_before_it_has_read_a_long_source_is_the_machines_fault(lab):
    lab("print('no memory', file=sys.stderr)")
    with pytest.raises(MachineFault, match="no memory"):
        smoke("x = 1\n" * 100_000)


def test_why_a_smoke_failed_reaches_the_author_with_the_log(lab):
    lab('print(\'{"status": "crash", "reason": "it raised", "log_tail": "line 3"}\')')
    found = smoke()
    assert not found.ok and found.reason == "it raised\nline 3"


def test_a_cancelled_measurement_leaves_no_process(lab, tmp_path):
    pid = tmp_path / "pid"
    lab(f"open({str(pid)!r}, 'w').write(str(os.getpid()))\nimport time; time.sleep(600)")

    async def cancel():
        job = Job(Path("train.py"), 1, 1.0)
        task = asyncio.create_task(local.LocalExecutor().measure(job, lambda line: None))
        while not (pid.exists() and pid.read_text()):
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert not Path(f"/proc/{pid.read_text()}").exists()


HOLDS_THE_PIPES = "import subprocess; subprocess.Popen(['sleep', '1'], start_new_session=True)"
ENDS_SLOWLY = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), sys.exit()))"
IGNORES_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"


@pytest.mark.parametrize("habit", [ENDS_SLOWLY, HOLDS_THE_PIPES, IGNORES_TERM], ids=["slow", "pipes", "deaf"])
def test_a_session_that_ends_during_a_smoke_leaves_no_process_and_no_pipe(lab, tmp_path, monkeypatch, caplog, habit):
    pid, faults = tmp_path / "pid", []
    monkeypatch.setattr(sys, "unraisablehook", lambda fault: faults.append(str(fault.exc_value)))
    monkeypatch.setattr(local, "STOP_SECONDS", 0.5)
    lab(f"{habit}\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\nimport time; time.sleep(600)")

    async def end():
        task = asyncio.create_task(local.LocalExecutor().smoke("x = 1"))
        while not (pid.exists() and pid.read_text()):
            await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.sleep(0.05)  # the end of the loop cancels it once more

    asyncio.run(end())
    assert not Path(f"/proc/{pid.read_text()}").exists()
    time.sleep(0.3)
    gc.collect()
    assert not faults and not caplog.records
