"""Asks for the tokens and hangs up before they are sent, so that sending fails in the referee.

must: crash the box ended
"""


def before(model, bench):
    import socket

    bench._channel.send("start")
    bench._channel.sock.shutdown(socket.SHUT_RDWR)
    time.sleep(5)
