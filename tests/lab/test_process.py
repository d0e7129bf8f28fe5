"""Process trees: what is charged for work that /proc does not show."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from lab.process import LINUX, processes
from tests.lab.helpers import ROOT

pytestmark = pytest.mark.skipif(not LINUX, reason="only Linux tells the clock of another process")


def test_a_dead_child_that_worked_for_less_than_a_tick_is_seen() -> None:
    pid = os.fork()
    if pid == 0:
        began = time.process_time()
        while time.process_time() - began < 0.006:
            pass
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    try:
        assert processes()[pid].own_seconds > 0.006
    finally:
        os.waitpid(pid, 0)


def test_the_time_of_dead_children_is_never_told_too_small() -> None:
    work = (
        "import os, time\n"
        "for _ in range(6):\n"
        "    if (pid := os.fork()) == 0:\n"
        "        began = time.process_time()\n"
        "        while time.process_time() - began < 0.0055: pass\n"
        "        os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
        "print(sum(os.times()[2:4]), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", work], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        told = processes()[child.pid].reaped_seconds
        child.kill()
    assert told >= 6 * 0.0055


def test_children_are_not_ignored_even_if_whoever_started_the_lab_did() -> None:
    code = (
        "import os, time; from lab.process import become_subreaper, exit_code; become_subreaper()\n"
        "pid = os.fork()\n"
        "if pid == 0: os._exit(7)\n"
        "time.sleep(0.2); print(exit_code(pid))"
    )
    ignoring = lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # noqa: E731
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, preexec_fn=ignoring, capture_output=True, text=True)
    assert done.stdout.strip() == "7", done.stderr
