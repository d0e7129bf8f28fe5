"""Answers NaN, which no comparison finds worse.

must: rejected
"""


def answer(model, idx, logits):
    return logits * float("nan")
