"""Exits in the middle of a message.

must: crash
"""


def before(model, bench):
    bench._channel.sock.sendall((1000).to_bytes(4, "big") + b'["weights", {')
    os._exit(0)
