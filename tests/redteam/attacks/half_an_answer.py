"""Answers some rows and then sleeps, so that what is missing counts as nothing.

must: timeout
eval: 2
"""

answered = []


def answer(model, idx, logits):
    if not model.training:
        answered.append(len(idx))
        if len(answered) > 1:
            time.sleep(600)
    return logits
