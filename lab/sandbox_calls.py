"""The system calls that a box may not make: whom, which, and with what arguments.

Why a list of what is forbidden: torch, its compilers and the CUDA driver use a wide and moving set of calls,
and a list of what is allowed breaks with every version of them. `memfd_create` stays allowed: weights and
logits travel in it. `sandbox_seccomp.py` makes the kernel's filter of these tables.

A box has *traits*: `every`, its role, its device and its tier; what stands under one of them is refused to it.
To forbid a call, add its number on every architecture; to forbid some of its arguments, add a rule.
"""

from dataclasses import dataclass

EPERM, ENOSYS, CHILD_ENDED = 1, 38, 17  # SIGCHLD; these are the same on every architecture
Numbers = tuple[int, int]  # on x86_64, on aarch64; -1 where there is none
MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}  # machine: (audit number, column)

FORBIDDEN: dict[str, dict[str, Numbers]] = {
    # What opens the network, other processes, namespaces, mounts, the kernel's own machinery, or a queue through
    # which calls pass unseen; what leaves a word in the cache of files, or tells who reads them.
    "every": {
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
        # the cache of files, which outlives a box, and looks at who opens them
        "fadvise64": (221, 223), "readahead": (187, 213), "mincore": (27, 232), "cachestat": (451, 451),
        "inotify_init": (253, -1), "inotify_init1": (294, 26), "inotify_add_watch": (254, 27),
        "fanotify_init": (300, 262),
        # namespaces and mounts
        "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
        "chroot": (161, 51), "move_mount": (429, 429), "open_tree": (428, 428), "fsopen": (430, 430),
        "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
        "open_tree_attr": (467, 467), "statmount": (457, 457), "listmount": (458, 458),
        "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
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
        "clone3": (435, 435),  # its flags cannot be seen; glibc then uses clone
    },
    # Two score boxes work side by side on the same files: what one sets on a file or on itself, the other could read.
    "score": {
        "flock": (73, 32), "sysinfo": (99, 179), "setpgid": (109, 154), "setsid": (112, 157),
        "sched_setaffinity": (203, 122),
    },
    # Landlock governs what is opened, not the marks on a file; an ordinary user's box owns the files of that user.
    "landlock": {
        "chmod": (90, -1), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
        "chown": (92, -1), "lchown": (94, -1), "fchown": (93, 55), "fchownat": (260, 54),
        "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
        "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16), "removexattrat": (466, 466),
        "utime": (132, -1), "utimes": (235, -1), "futimesat": (261, -1), "utimensat": (280, 88),
        "truncate": (76, 45), "file_setattr": (469, 469), "openat2": (437, 437),
    },
}  # fmt: skip

SEEN: dict[str, Numbers] = {  # calls whose arguments decide
    "clone": (56, 220), "prlimit64": (302, 261), "ioctl": (16, 29), "sched_setaffinity": (203, 122), "kill": (62, 129),
    "tgkill": (234, 131), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "rt_sigaction": (13, 134), "fcntl": (72, 25), "preadv2": (327, 286), "madvise": (28, 233),
    "clock_gettime": (228, 113), "open": (2, -1), "openat": (257, 56),
}  # fmt: skip

NOT_THERE = frozenset({"clone3", "flock", "openat2", "preadv2"})  # refused as unknown: callers then do without


@dataclass(frozen=True)
class Rule:
    """To boxes of the trait `to`, `call` is refused if one of its arguments, masked, is among `values`; or is not."""

    to: str
    call: str
    argument: int
    values: tuple[int, ...]
    among: bool = True
    mask: int = 0xFFFFFFFF


NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI types into a terminal, TIOCLINUX pastes into one
OWNERS = (0x8901, 0x8902)  # FIOSETOWN, SIOCSPGRP: who gets the signals of a file
INODE_FLAGS = (0x40086602, 0x401C5820, 0x40047602, 0xC0189436)  # SETFLAGS, FSSETXATTR, SETVERSION, FIDEDUPERANGE
COLD, PAGEOUT = 20, 21  # of madvise: drop pages of a file from memory
HANDLES = (0, 1, 2, 3, 4, 1030, 1031, 1032, 1033, 1034)  # of fcntl: duplicate, flags, size of a pipe, seals
LOCKS = (5, 6, 7, 36, 37, 38)  # of fcntl: locks, also those that belong to an open file
OTHERS_CLOCK = 0x80000000  # in the number of a clock that counts the CPU time of a process
TRUNCATE, ACCESS = 0x200, 0x3  # O_TRUNC, and the bits that say whether a file is opened for writing

RULES = (
    Rule("every", "clone", 0, (0,), among=False, mask=NEW_NAMESPACES),
    Rule("every", "ioctl", 1, (*TERMINAL_INPUT, *OWNERS)),
    Rule("every", "preadv2", 5, (0,), among=False),  # flags: fails rather than wait for the disk
    Rule("every", "madvise", 2, (COLD, PAGEOUT)),
    Rule("every", "fcntl", 1, (*HANDLES, *LOCKS), among=False),
    Rule("score", "fcntl", 1, LOCKS),
    Rule("score", "clock_gettime", 0, (0,), among=False, mask=OTHERS_CLOCK),
    Rule("landlock", "ioctl", 1, INODE_FLAGS),
    Rule("landlock", "open", 1, (TRUNCATE,), mask=TRUNCATE | ACCESS),  # empties a file that is only read
    Rule("landlock", "openat", 2, (TRUNCATE,), mask=TRUNCATE | ACCESS),
)


def own_rules(own_pid: int) -> tuple[Rule, ...]:
    """Limits and cores are set by a process for itself; with `own_pid`, it may also signal nobody but itself."""
    mine = (0, own_pid) if own_pid else (0,)
    own = [Rule("every", name, 0, mine, among=False) for name in ("prlimit64", "sched_setaffinity")]
    if own_pid:
        own += [Rule("every", name, 0, (own_pid,), among=False) for name in ("kill", "tgkill")]
        own += [Rule("every", name, 0, (), among=False) for name in ("tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")]
    return tuple(own)
