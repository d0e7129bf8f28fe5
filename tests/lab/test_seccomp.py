"""The filter of system calls: what it says to which box, by an interpreter of its own instead of the kernel's."""

from __future__ import annotations

import struct

import pytest

from lab import sandbox_calls, sandbox_seccomp
from lab.errors import LabError


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
