"""Hands over memory that it can change after the check.

must: rejected could still change
"""


def after(model, bench):
    fd = os.memfd_create("w", os.MFD_ALLOW_SEALING)
    os.write(fd, bytes(8))
    bench._channel.send("weights", fd, names=["a"], shapes=[[2]], dtypes=["float32"])
    time.sleep(5)
