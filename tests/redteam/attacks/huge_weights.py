"""Hands over more bytes of weights than are allowed.

must: rejected at most 536870912 are allowed
budget: 20
"""


def after(model, bench):
    model.register_buffer("big", torch.zeros(150_000_000))
