"""Says ready a second time.

must: rejected out of turn
"""


def before(model, bench):
    bench._channel.send("ready")
    time.sleep(5)
