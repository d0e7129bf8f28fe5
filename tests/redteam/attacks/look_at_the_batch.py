"""Looks at the other rows of the batch.

must: caught
"""


def answer(model, idx, logits):
    return logits if model.training else logits + logits.mean(0, keepdim=True)
