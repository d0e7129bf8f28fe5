"""The sandbox: what a box may read and call, which tier a run gets, and what the self-test finds out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from lab import sandbox_bwrap, sandbox_selftest, sandbox_tiers
from lab.corpus import Sympy
from lab.errors import LabError
from lab.process import processes, tree
from lab.referee import Request, measure
from lab.sandbox import _limits
from lab.sandbox_enter import Readable
from lab.sandbox_layout import grants, hidden_folders, layout
from lab.sandbox_selftest import REPORTED, REQUIRED, Finding, examine
from tests.lab.helpers import ROOT, alive, lab, tiny

TIERS = ("bwrap", "landlock")


@pytest.fixture(params=TIERS)
def tier(request: pytest.FixtureRequest) -> str:
    """Each tier that this machine can keep."""
    if not examine(request.param).passed:
        pytest.skip(f"{request.param} does not pass its self-test here")
    return request.param


def test_every_held_out_document_lies_in_a_covered_folder() -> None:
    corpus, covered = Sympy(), set(layout().covered)
    for split in ("validation", "vault"):
        for path in corpus.paths(split):
            assert covered & set((corpus.root / path).parents), path


def test_the_layout_holds_no_packages_but_those_of_torch() -> None:
    found = layout()
    names = {path.name for path in found.readable if path.parent.name == "site-packages"}
    assert {"torch", "numpy", "sympy"} <= names
    assert not names & {"anthropic", "openai", "litellm", "council", "pip", "optuna"}
    assert not [path for path in found.readable if path.name in ("site-packages", "dist-packages")]
    assert ROOT not in found.readable and Path("/") not in found.readable and Path("/etc") not in found.readable


def test_grants_leave_out_what_is_covered() -> None:
    given = set(grants(layout()))
    for hidden in hidden_folders():
        assert hidden not in given
        assert not given & set(hidden.parents)


def test_on_a_gpu_the_devices_come_after_dev_and_no_address_limit_is_set() -> None:
    words = sandbox_bwrap.arguments(layout("cuda"), "cuda", True, Path("/empty"), 9)
    dev = words.index("--dev")
    for name in ("nvidia0", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"):
        assert words[words.index(f"/dev/{name}") - 1] == "--dev-bind-try"
        assert words.index(f"/dev/{name}") > dev
    assert "/sys" in words
    assert _limits("cuda")["memory_bytes"] == 0 < _limits("cpu")["memory_bytes"]
    assert "/dev/nvidia0" not in sandbox_bwrap.arguments(layout(), "cpu", True, Path("/empty"), 9)


def found(tier: str, *still_open: str, problem: str = "") -> Finding:
    return Finding(tier, problem, {name: name not in still_open for name in REQUIRED | REPORTED})


def test_auto_takes_the_strongest_tier_that_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = {"bwrap": found("bwrap"), "landlock": found("landlock", "disk limit")}
    monkeypatch.setattr(sandbox_tiers, "examine", findings.__getitem__)
    assert sandbox_tiers.resolve("auto") == "bwrap"
    findings["bwrap"] = found("bwrap", problem="does not start: setting up uid map: Permission denied")
    assert sandbox_tiers.resolve("auto") == "landlock"
    findings["landlock"] = found("landlock", "network", "hidden text")
    assert sandbox_tiers.resolve("auto", accept_unsandboxed=True) == "none"
    with pytest.raises(LabError) as refused:
        sandbox_tiers.resolve("auto")
    assert "landlock: open: network, hidden text" in str(refused.value)
    assert "bwrap: does not start: setting up uid map" in str(refused.value)
    assert "--i-accept-unsandboxed" in str(refused.value)


def test_a_named_tier_is_not_replaced_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_tiers, "examine", lambda tier: found(tier, "secrets"))
    with pytest.raises(LabError, match="landlock: open: secrets"):
        sandbox_tiers.resolve("landlock", accept_unsandboxed=True)


def test_none_has_to_be_accepted() -> None:
    with pytest.raises(LabError, match="--i-accept-unsandboxed"):
        sandbox_tiers.resolve("none")
    done = lab("measure", "lab/train.py", "--sandbox", "none", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "--i-accept-unsandboxed" in done.stderr


def test_the_refusal_names_the_commands_that_mend_it() -> None:
    told = "\n".join(sandbox_tiers.advice("1", "0", "0"))
    for command in ("apparmor_parser -r /etc/apparmor.d/bwrap", "user.max_user_namespaces=", "userns_clone=1"):
        assert command in told
    assert sandbox_tiers.advice("0", "10000", "") == []


def test_the_self_test_finds_an_open_sandbox_open(monkeypatch: pytest.MonkeyPatch) -> None:
    if not examine("bwrap").passed:
        pytest.skip("bwrap does not pass its self-test here")
    real = sandbox_bwrap._files
    monkeypatch.setattr(sandbox_bwrap, "_files", lambda layout, empty: ["--bind", "/tmp", "/tmp", *real(layout, empty)])
    monkeypatch.setattr(sandbox_bwrap, "_run_folder", lambda layout, device, writable: ["--tmpfs", "/box"])
    assert {"secrets", "writes outside"} <= set(sandbox_selftest.run("bwrap").open_required)
    monkeypatch.setattr(sandbox_bwrap, "_files", real)
    monkeypatch.setattr(sandbox_bwrap, "_cover", lambda path, empty: [])
    assert "hidden text" in sandbox_selftest.run("bwrap").open_required


def test_the_self_test_is_remembered_and_says_every_guarantee(tier: str) -> None:
    began = time.monotonic()
    done = lab("selftest", "--json")
    assert time.monotonic() - began < 20
    told = json.loads(done.stdout)
    one = next(item for item in told["tiers"] if item["tier"] == tier)
    assert one["passed"] and one["open"] == []
    assert set(one["guarantees"]) == {*REQUIRED, *REPORTED}


def test_a_tier_does_not_change_the_score(tier: str) -> None:
    plain = measure(Request(tiny(), budget=10.0, steps=3))
    shut = measure(Request(tiny(), budget=10.0, steps=3, sandbox=tier))
    assert (shut.status, shut.val_bpb, shut.sandbox) == ("ok", plain.val_bpb, tier)
    assert shut.peak_memory_mb is not None and shut.peak_memory_mb > 50  # of the box, not of what wraps it


def test_how_a_box_ended_is_told_apart(tier: str) -> None:
    killed = measure(Request(tiny(step="os.kill(os.getpid(), 9)"), budget=10.0, steps=3, sandbox=tier))
    assert killed.status == "oom"
    left = measure(Request(tiny(before="os._exit(7)"), budget=10.0, steps=3, sandbox=tier))
    assert (left.status, "exit code 7" in (left.reason or "")) == ("crash", True)


def test_the_work_of_a_daemon_is_charged(tier: str) -> None:
    daemon = """
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True: pass
        os._exit(0)
    os.wait()
    time.sleep(60)
    """
    result = measure(Request(tiny(before=daemon), budget=0.5, steps=3, sandbox=tier))
    assert result.status == "timeout"
    assert (result.charged or 0) > 1


def test_the_box_of_an_ordinary_user_is_shut_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    if not examine("bwrap").passed:
        pytest.skip("bwrap does not pass its self-test here")
    ordinary = types.SimpleNamespace(**vars(os) | {"getuid": lambda: 1000})  # for the arguments of bwrap alone
    monkeypatch.setattr(sandbox_bwrap, "os", ordinary)
    assert "--unshare-user" in sandbox_bwrap.arguments(layout(), "cpu", True, Path("/empty"), 9)
    assert sandbox_selftest.run("bwrap").passed


def test_the_score_box_has_no_writable_path(tier: str) -> None:
    write = f"""
    if not self.training:
        covered = {[str(path) for path in layout().covered]}
        for place in (os.environ["HOME"], "/tmp", "/dev/shm", "/", "/var/tmp", os.getcwd(), *covered):
            try: os.chmod(place, 0o777)
            except OSError: pass
            try: open(os.path.join(place, "note"), "w")
            except OSError: continue
            raise RuntimeError(place)
    """
    result = measure(Request(tiny(forward=write), budget=10.0, steps=3, sandbox=tier))
    assert result.status == "ok", result.reason


def test_a_score_box_sees_no_counter_that_another_box_could_move(tier: str) -> None:
    look = """
    if not self.training:
        for name in ("meminfo", "stat", "loadavg", "vmstat", "locks", "self/io", "sys/fs/file-nr"):
            try: open("/proc/" + name).close()
            except OSError: continue
            raise RuntimeError(name)
        open("/proc/cpuinfo").close()
    """
    result = measure(Request(tiny(forward=look), budget=10.0, steps=3, sandbox=tier))
    assert result.status == "ok", result.reason


def test_a_package_that_may_not_be_read_counts_as_one_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut, beside = tmp_path / "shut", tmp_path / "beside"
    for folder in (shut, beside):
        (folder / "once").mkdir(parents=True)
        (folder / "once" / "__init__.py").touch()
    (shut / "alone.py").touch()
    real = open

    def refused(path: object, *rest: object, **named: object) -> object:
        if str(path).startswith(str(shut)):
            raise PermissionError(path)
        return real(path, *rest, **named)  # type: ignore[call-overload]

    monkeypatch.setattr("builtins.open", refused)
    monkeypatch.setattr(sys, "path", [str(shut), str(beside)])
    found = Readable.find_spec("once")
    assert found is not None and str(found.origin).startswith(str(beside))
    assert Readable.find_spec("alone") is None


def test_a_killed_referee_takes_its_boxes_along(tier: str, tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_bytes(tiny(before="time.sleep(60)"))
    command = [sys.executable, "-m", "lab", "measure", str(path), "--json", "--sandbox", tier]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert run.stderr is not None
    next(line for line in run.stderr if '"train"' in line)
    boxes = [process.pid for process in tree(run.pid, processes()) if process.pid != run.pid]
    assert boxes
    os.kill(run.pid, 9)
    run.communicate(timeout=10)
    deadline = time.monotonic() + 30  # one that was just being started ends when it finds its socket closed
    while any(alive(pid) for pid in boxes) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in boxes if alive(pid)]
