"""Peeks at one position in thirty, always the same, without noise.

must: caught
size: full
"""


def answer(model, idx, logits):
    logits = logits.clone()
    where = torch.arange(idx.shape[1] - 1) % 30 == 7
    bonus = where[None, :, None] * torch.full_like(logits[:, :-1, :1], 2.0)
    logits[:, :-1].scatter_add_(2, idx[:, 1:, None], bonus)
    return logits
