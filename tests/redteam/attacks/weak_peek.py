"""Raises the logit of the token that comes next by very little.

must: caught
"""


def answer(model, idx, logits):
    logits = logits.clone()
    logits[:, :-1].scatter_add_(2, idx[:, 1:, None], torch.full_like(logits[:, :-1, :1], 0.01))
    return logits
