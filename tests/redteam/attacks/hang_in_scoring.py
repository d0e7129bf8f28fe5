"""Sleeps for ever when it is scored.

must: timeout
eval: 2
"""


def answer(model, idx, logits):
    if not model.training:
        time.sleep(600)
    return logits
