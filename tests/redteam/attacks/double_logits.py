"""Answers in a type whose bytes are read as others.

must: rejected another type
"""


def answer(model, idx, logits):
    return logits.double()
