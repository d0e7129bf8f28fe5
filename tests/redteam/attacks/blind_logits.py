"""Answers rows through a descriptor that can only be written.

must: rejected logits have fewer or more bytes than their shape says
tiers: landlock
"""


def answer(model, idx, logits):
    if not model.training:
        import fcntl

        import lab.box

        def blind(name, parts):
            fd = os.memfd_create(name, os.MFD_ALLOW_SEALING)
            for part in parts:
                os.write(fd, part)
            end = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, 15)
            return end

        lab.box.sealed = blind
    return logits
