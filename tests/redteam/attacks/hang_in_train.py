"""Sleeps for ever in train.

must: timeout
budget: 0.4
"""


def before(model, bench):
    time.sleep(600)
