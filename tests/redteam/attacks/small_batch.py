"""Answers for fewer rows.

must: rejected
"""


def answer(model, idx, logits):
    return logits[:1]
