"""Writes noise to the referee.

must: rejected
"""


def before(model, bench):
    bench._channel.sock.sendall(b"\xff" * 4096)
    time.sleep(5)
