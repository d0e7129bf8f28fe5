"""Hands over a memory file of a petabyte that costs nothing to make.

must: contained
"""


def after(model, bench):
    fd = os.memfd_create("w", os.MFD_ALLOW_SEALING)
    with suppress(OSError):
        os.ftruncate(fd, 1 << 50)
    bench._channel.send("weights", fd, names=["a"], shapes=[[1 << 48]], dtypes=["float32"])
    time.sleep(5)
