"""Tries bpf, perf, keys, userfaultfd, modules and handles.

must: harmless
"""


def before(model, bench):
    import ctypes
    import platform

    arm = platform.machine() == "aarch64"
    calls = {"bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "add_key": (248, 217)}
    calls |= {"keyctl": (250, 219), "pidfd_open": (434, 434), "fsopen": (430, 430), "syslog": (103, 116)}
    for name, numbers in calls.items():
        if ctypes.CDLL(None).syscall(numbers[arm], 0, 0, 0, 0, 0) >= 0:
            breach(name)
