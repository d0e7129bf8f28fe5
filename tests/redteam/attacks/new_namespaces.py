"""Makes user and mount namespaces to become root in them.

must: harmless
"""


def before(model, bench):
    import ctypes

    libc = ctypes.CDLL(None)
    for flag in (0x10000000, 0x20000, 0x40000000, 0x20000000, 0x8000000):
        if libc.unshare(flag) == 0:
            breach(hex(flag))
    if libc.mount(b"none", b"/", b"tmpfs", 0, 0) == 0 or libc.chroot(b"/") == 0:
        breach("mount or chroot")
