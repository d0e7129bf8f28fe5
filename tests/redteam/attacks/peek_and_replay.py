"""Peeks at a row once, remembers it, and answers probes of the same row from memory.

must: caught
"""

SEEN = {}


def answer(model, idx, logits):
    if model.training:
        return logits
    logits = logits.clone()
    for row, tokens in enumerate(idx.tolist()):
        known = SEEN.setdefault(tuple(tokens[:8]), tokens)
        following = torch.tensor(known[1:])[:, None]
        logits[row, :-1].scatter_add_(1, following, torch.full_like(logits[row, :-1, :1], 5.0))
    return logits
