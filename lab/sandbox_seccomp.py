"""The system calls that a box may not make, as a seccomp filter in the kernel's own bytes.

Why a list of what is forbidden: torch, its compilers and the CUDA driver use a wide and moving set of calls,
and a list of what is allowed breaks with every version of them. What is forbidden here opens the network,
other processes, namespaces, mounts, the kernel's own machinery, or a queue through which calls pass unseen
(io_uring). `memfd_create` stays allowed: weights and logits travel in it.

`program(machine)` works for the architectures in `TABLES`; any other is refused. To forbid a call, add its
number on every architecture.
"""

import os
import struct

from lab.errors import LabError

FORBIDDEN: dict[str, tuple[int, int]] = {  # number on x86_64, on aarch64; -1 where there is none
    # the network; SysV and POSIX queues outlive a process
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242),
    "shmget": (29, 194), "shmat": (30, 196), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "setpriority": (141, 140), "sched_setscheduler": (144, 119), "sched_setparam": (142, 118),
    "sched_setattr": (314, 274), "ioprio_set": (251, 30),
    # calls that pass unseen
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "io_setup": (206, 0), "io_submit": (209, 2),
    # namespaces and mounts
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "move_mount": (429, 429), "open_tree": (428, 428), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467), "statmount": (457, 457), "listmount": (458, 458),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    # the kernel's machinery
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "syslog": (103, 116), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "clock_adjtime": (305, 266), "adjtimex": (159, 171), "sethostname": (170, 161), "setdomainname": (171, 162),
    "vhangup": (153, 58), "lookup_dcookie": (212, 18), "personality": (135, 92),
    "iopl": (172, -1), "ioperm": (173, -1), "modify_ldt": (154, -1), "uselib": (134, -1), "ustat": (136, -1),
    "sysfs": (139, -1), "_sysctl": (156, -1), "create_module": (174, -1),
}  # fmt: skip

TABLES = {  # machine: (audit number, column)
    "x86_64": (0xC000003E, 0),
    "aarch64": (0xC00000B7, 1),
}
NAMED = {  # calls whose arguments decide
    "clone": (56, 220), "clone3": (435, 435), "prlimit64": (302, 261), "ioctl": (16, 29),
    "sched_setaffinity": (203, 122), "kill": (62, 129), "tgkill": (234, 131), "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
}  # fmt: skip
X32 = 0x40000000  # set in the number of a call of the x32 kind, a second door to the same calls
NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI types into a terminal, TIOCLINUX pastes into one
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS = 1, 38
_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data; arguments are 8 bytes each from 16 on


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def program(machine: str = "", own_pid: int = 0) -> bytes:
    """The filter for `machine` (this one). With `own_pid`, that process may signal nobody but itself.

    Raises LabError for an architecture without a table.
    """
    machine = machine or os.uname().machine
    if machine not in TABLES:
        raise LabError(f"there is no table of system calls for {machine}; known: {', '.join(TABLES)}")
    audit, column = TABLES[machine]
    code = _op(_LOAD, _ARCHITECTURE) + _op(_EQUAL, audit, 1, 0) + _op(_RETURN, KILL) + _op(_LOAD, _NUMBER)
    if machine == "x86_64":
        code += _op(_AT_LEAST, X32, 0, 1) + _op(_RETURN, ERRNO | ENOSYS)
    number = {name: numbers[column] for name, numbers in NAMED.items()}
    for numbers in FORBIDDEN.values():
        if numbers[column] >= 0:
            code += _op(_EQUAL, numbers[column], 0, 1) + _op(_RETURN, ERRNO | EPERM)
    code += _op(_EQUAL, number["clone3"], 0, 1) + _op(_RETURN, ERRNO | ENOSYS)  # glibc then uses clone
    code += _refuse_if(number["clone"], 0, _ANY_BIT, NEW_NAMESPACES)
    for request in TERMINAL_INPUT:
        code += _refuse_if(number["ioctl"], 1, _EQUAL, request)
    for name in ("prlimit64", "sched_setaffinity"):
        code += _refuse_unless(number[name], 0, (0, own_pid))
    if own_pid:
        for name in ("kill", "tgkill"):
            code += _refuse_unless(number[name], 0, (own_pid,))
        for name in ("tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"):
            code += _op(_EQUAL, number[name], 0, 1) + _op(_RETURN, ERRNO | EPERM)
    return code + _op(_RETURN, ALLOW)


def _refuse_if(number: int, argument: int, test: int, value: int) -> bytes:
    """Refuse a call if the low half of an argument passes a test."""
    return (
        _op(_EQUAL, number, 0, 4)
        + _op(_LOAD, 16 + 8 * argument)
        + _op(test, value, 0, 1)
        + _op(_RETURN, ERRNO | EPERM)
        + _op(_LOAD, _NUMBER)
    )


def _refuse_unless(number: int, argument: int, values: tuple[int, ...]) -> bytes:
    """Refuse a call unless the low half of an argument is one of `values`."""
    tests = b"".join(_op(_EQUAL, value, len(values) - index, 0) for index, value in enumerate(values))
    return (
        _op(_EQUAL, number, 0, len(values) + 3)
        + _op(_LOAD, 16 + 8 * argument)
        + tests
        + _op(_RETURN, ERRNO | EPERM)
        + _op(_LOAD, _NUMBER)
    )
