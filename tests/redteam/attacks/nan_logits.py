"""Answers NaN, which no comparison finds worse.

must: rejected not finite
"""


def answer(model, idx, logits):
    return logits * float("nan")
