"""The sandbox: what a box may read and call, which tier a run gets, and what the self-test finds out."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from lab import sandbox_bwrap, sandbox_calls, sandbox_seccomp, sandbox_selftest, sandbox_tiers
from lab.corpus import Sympy
from lab.errors import LabError
from lab.process import processes, tree
from lab.referee import Request, measure
from lab.sandbox import _limits
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


def judge(program: bytes, number: int, arguments: tuple[int, ...] = (), audit: int = 0xC000003E) -> int:
    """What a seccomp filter says to a call: the kernel's interpreter, as far as these filters use it."""
    data = struct.pack("<iIQ6Q", number, audit, 0, *arguments, *[0] * (6 - len(arguments)))
    code = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    at = value = 0
    while True:
        operation, if_true, if_false, constant = code[at]
        at += 1
        if operation == 0x20:
            value = struct.unpack_from("<I", data, constant)[0]
        elif operation == 0x54:
            value &= constant
        elif operation == 0x06:
            return constant
        else:
            passes = {0x15: value == constant, 0x35: value >= constant}[operation]
            at += if_true if passes else if_false


ALLOWED = 0x7FFF0000
REFUSED = 0x00050000 | 1


UNKNOWN = 0x00050000 | 38
TRAIN, SCORE = ("every", "train", "cpu", "bwrap"), ("every", "score", "cpu", "landlock")


def says(traits: tuple[str, ...], call: str, *arguments: int, machine: str = "x86_64", own_pid: int = 0) -> int:
    """What the filter of a box with these traits says to a call by name."""
    audit, column = sandbox_calls.MACHINES[machine]
    number = (sandbox_calls.SEEN | {n: c for table in sandbox_calls.FORBIDDEN.values() for n, c in table.items()})[call]
    return judge(sandbox_seccomp.program(traits, machine, own_pid), number[column], arguments, audit)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_refuses_what_is_forbidden_on_every_architecture(machine: str) -> None:
    audit, column = sandbox_calls.MACHINES[machine]
    for trait, table in sandbox_calls.FORBIDDEN.items():
        with_it, without = (sandbox_seccomp.program(traits, machine) for traits in ((trait,), ()))
        for name, numbers in table.items():
            if numbers[column] >= 0:
                assert judge(with_it, numbers[column], audit=audit) in (REFUSED, UNKNOWN), name
                assert judge(without, numbers[column], audit=audit) == ALLOWED, name
    assert says(TRAIN, "clone", 0x10000000, machine=machine) == REFUSED  # CLONE_NEWUSER
    assert says(TRAIN, "clone", 0x11, machine=machine) == ALLOWED
    assert says(TRAIN, "clone3", machine=machine) == UNKNOWN  # glibc then asks for clone
    assert says(TRAIN, "ioctl", 0, 0x5412, machine=machine) == REFUSED
    assert says(TRAIN, "ioctl", 0, 0x5401, machine=machine) == ALLOWED
    assert says(TRAIN, "prlimit64", 0, machine=machine) == ALLOWED
    assert says(TRAIN, "prlimit64", 123, machine=machine) == REFUSED
    assert says(TRAIN, "kill", 123, 9, machine=machine) == ALLOWED
    memfd_create = {"x86_64": 319, "aarch64": 279}[machine]
    program = sandbox_seccomp.program(SCORE, machine)
    assert judge(program, memfd_create, audit=audit) == ALLOWED
    other = sandbox_calls.MACHINES["aarch64" if machine == "x86_64" else "x86_64"][0]
    assert judge(program, memfd_create, audit=other) == 0x80000000  # killed


def test_without_scopes_the_filter_lets_a_process_signal_only_itself() -> None:
    for call, arguments, answer in (
        ("kill", (77, 6), ALLOWED),
        ("kill", (1, 9), REFUSED),
        ("tgkill", (77, 78, 6), ALLOWED),
        ("tgkill", (1, 1, 9), REFUSED),
        ("tkill", (77, 6), REFUSED),
    ):
        assert says(TRAIN, call, *arguments, own_pid=77) == answer, (call, arguments)


def test_nobody_who_is_charged_by_cpu_time_may_ignore_children() -> None:
    reads, ignores, elsewhere = (17, 0), (17, 0x7000), (17, 0x100000000)  # where the new action lies, null or not
    assert says(TRAIN, "rt_sigaction", *reads) == ALLOWED
    assert says(TRAIN, "rt_sigaction", *ignores) == says(TRAIN, "rt_sigaction", *elsewhere) == REFUSED
    assert says(TRAIN, "rt_sigaction", 2, 0x7000) == ALLOWED
    assert says(("every", "train", "cuda", "bwrap"), "rt_sigaction", *ignores) == ALLOWED


def test_score_boxes_cannot_lock_what_both_can_read() -> None:
    for command in (5, 6, 7, 36, 37, 38):
        assert (says(TRAIN, "fcntl", 0, command), says(SCORE, "fcntl", 0, command)) == (ALLOWED, REFUSED)
    for command in (8, 10, 15, 1024, 1025, 1026, 1036, 1038):  # owners, leases, watches, hints: for nobody
        assert says(TRAIN, "fcntl", 0, command) == says(SCORE, "fcntl", 0, command) == REFUSED
    for command in (1, 2, 3, 4, 1030, 1033, 1034):
        assert says(SCORE, "fcntl", 0, command) == ALLOWED
    assert (says(TRAIN, "flock"), says(SCORE, "flock")) == (ALLOWED, UNKNOWN)  # filelock then does without
    assert says(SCORE, "clock_gettime", 1) == ALLOWED
    assert says(SCORE, "clock_gettime", ~77 << 3 & 0xFFFFFFFF) == REFUSED  # the CPU time of another process


def test_no_box_drops_files_from_memory_or_asks_what_lies_there() -> None:
    assert says(TRAIN, "preadv2", 0, 0, 0, 0, 0, 0) == ALLOWED
    assert says(TRAIN, "preadv2", 0, 0, 0, 0, 0, 8) == UNKNOWN  # RWF_NOWAIT
    assert [says(TRAIN, "madvise", 0, 0, advice) for advice in (4, 20, 21)] == [ALLOWED, REFUSED, REFUSED]
    for call in ("fadvise64", "mincore", "cachestat", "readahead", "inotify_init1"):
        assert says(TRAIN, call) == REFUSED


def test_under_landlock_no_mark_can_be_left_on_a_file() -> None:
    for call in ("chmod", "fchmod", "utimensat", "fsetxattr", "truncate", "fchown"):
        assert (says(TRAIN, call), says(SCORE, call)) == (ALLOWED, REFUSED)
    assert says(SCORE, "openat", 0, 0, 0x200) == REFUSED  # O_RDONLY | O_TRUNC, which Landlock before ABI 3 let pass
    assert says(SCORE, "openat", 0, 0, 0x201) == says(SCORE, "openat", 0, 0, 0x80000) == ALLOWED
    assert says(SCORE, "ioctl", 0, 0x40086602) == REFUSED  # the flags of an inode


def test_the_second_door_to_system_calls_is_shut() -> None:
    assert judge(sandbox_seccomp.program(TRAIN, "x86_64"), 0x40000000 + 41) == UNKNOWN


def test_an_architecture_without_a_table_is_refused() -> None:
    with pytest.raises(LabError, match="riscv64; known: x86_64, aarch64"):
        sandbox_seccomp.program(TRAIN, "riscv64")


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
