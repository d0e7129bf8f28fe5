"""Answers with an object that pretends to be a tensor.

must: rejected did not return a tensor
"""


def answer(model, idx, logits):
    return {"logits": logits} if not model.training else logits
