"""Hands over weights through a descriptor that can only be written, so that reading them fails in the referee.

must: rejected memory that cannot be read
"""


def after(model, bench):
    import fcntl

    fd = os.memfd_create("weights", os.MFD_ALLOW_SEALING)
    os.write(fd, bytes(8))
    blind = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, 15)
    bench._channel.send("weights", blind, names=["a"], shapes=[[2]], dtypes=["float32"])
    time.sleep(5)
