"""Answers with logits whose exponentials sum to far more than one.

must: harmless
"""


def answer(model, idx, logits):
    return logits + 5.0
