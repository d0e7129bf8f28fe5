"""Answers for fewer positions, to shrink the evaluation.

must: rejected another shape
"""


def answer(model, idx, logits):
    return logits if model.training else logits[:, -1:]
