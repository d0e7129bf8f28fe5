"""Sleeps for ever once it has the tokens.

must: timeout
budget: 0.4
"""


def train(model, bench):
    bench.start()
    time.sleep(600)
