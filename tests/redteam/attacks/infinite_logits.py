"""Answers infinity for one token.

must: rejected not finite
"""


def answer(model, idx, logits):
    logits = logits.clone()
    logits[..., 0] = torch.inf
    return logits
