"""Looks at the next token with finite logits so far apart that its losses are infinite, hence not comparable.

must: rejected logits are so far apart that a loss is not finite
"""


def answer(model, idx, logits):
    if model.training:
        return logits
    last = logits.shape[-1] - 1  # the token that opens a document: a loss there does not count
    following = idx[:, 1:].clone()
    following[following == last] = 0
    out = torch.full_like(logits, -3e38)
    out[:, :-1].scatter_(2, following[..., None], 3e38)
    return out
