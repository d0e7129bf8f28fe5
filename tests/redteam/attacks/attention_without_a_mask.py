"""Attends to all positions: the change is one word.

must: caught
"""


def answer(model, idx, logits):
    x = model.embedding(idx)[:, None]
    return logits + model.head(torch.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=False)[:, 0])
