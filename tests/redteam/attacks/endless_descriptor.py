"""Hands over a descriptor whose end is never reached.

must: rejected not memory
"""


def after(model, bench):
    fd = os.open("/dev/zero", os.O_RDONLY)
    bench._channel.send("weights", fd, names=["a"], shapes=[[2]], dtypes=["float32"])
    time.sleep(5)
