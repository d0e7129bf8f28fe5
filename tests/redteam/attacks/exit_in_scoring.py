"""Exits while it is scored.

must: crash
"""


def answer(model, idx, logits):
    if not model.training:
        os._exit(0)
    return logits
