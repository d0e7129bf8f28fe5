"""Answers in a type whose bytes are read as others.

must: rejected
"""


def answer(model, idx, logits):
    return logits.double()
