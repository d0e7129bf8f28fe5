"""Attaches to other processes or reads their memory.

must: harmless
"""


def before(model, bench):
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    for pid in (REFEREE, VICTIM, os.getppid()):
        if libc.ptrace(16, pid, 0, 0) == 0:
            breach("attached")
    buffer = ctypes.create_string_buffer(64)
    vector = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 64)
    if libc.process_vm_readv(os.getpid(), vector, 1, vector, 1, 0) >= 0:
        breach("process_vm_readv")
