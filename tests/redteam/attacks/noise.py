"""Writes noise to the referee.

must: rejected at most 65536 are allowed
"""


def before(model, bench):
    bench._channel.sock.sendall(b"\xff" * 4096)
    time.sleep(5)
