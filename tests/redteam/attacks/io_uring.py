"""Sets up io_uring, through which calls pass unseen by filters.

must: harmless
"""


def before(model, bench):
    import ctypes

    if ctypes.CDLL(None).syscall(425, 4, ctypes.create_string_buffer(256)) >= 0:
        breach("io_uring")
