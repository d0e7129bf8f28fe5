"""Sends a hundred descriptors with one message.

must: rejected descriptors
"""


def before(model, bench):
    import socket

    socket.send_fds(bench._channel.sock, [b"\0\0\0\2[]"], [0] * 100)
    time.sleep(5)
