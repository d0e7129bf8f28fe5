"""Trains before it asks for the tokens, so that the same time may pass in the score box, where it trains on.

must: timeout training used
budget: 2.0
"""


def work():
    end = time.process_time() + 1.8
    while time.process_time() < end:
        pass


def before(model, bench):
    work()


def answer(model, idx, logits):
    if not model.training and not model.__dict__.setdefault("worked", False):
        model.__dict__["worked"] = True
        work()
    return logits
