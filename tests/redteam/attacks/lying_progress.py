"""Believes in a progress of its own, to train without end.

must: timeout
budget: 0.5
"""


def before(model, bench):
    bench.progress = lambda: 0.0
    while bench.progress() < 1:
        learn(model, torch.zeros(8, 129, dtype=torch.long))
