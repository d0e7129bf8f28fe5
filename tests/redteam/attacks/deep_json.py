"""Sends JSON nested until a parser gives up.

must: rejected no message
"""


def before(model, bench):
    body = b"[" * 60_000
    bench._channel.sock.sendall(len(body).to_bytes(4, "big") + body)
    time.sleep(5)
