"""Answers for fewer rows.

must: rejected another shape
"""


def answer(model, idx, logits):
    return logits if model.training else logits[:1]
