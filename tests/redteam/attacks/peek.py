"""Raises the logit of the token that comes next.

must: caught
"""


def answer(model, idx, logits):
    logits = logits.clone()
    logits[:, :-1].scatter_add_(2, idx[:, 1:, None], torch.full_like(logits[:, :-1, :1], 5.0))
    return logits
