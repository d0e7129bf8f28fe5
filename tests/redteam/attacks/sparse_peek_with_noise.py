"""Peeks at one position in twenty and hides it in noise of its own.

must: caught
size: full
"""


def answer(model, idx, logits):
    if not model.training:
        torch.seed()
        logits = logits + 0.01 * torch.randn_like(logits)
        peek = (torch.rand(idx[:, 1:, None].shape) < 0.05) * 3.0
        logits[:, :-1].scatter_add_(2, idx[:, 1:, None], peek.to(logits.dtype))
    return logits
