"""Comes back from training with more parameters than build made.

must: rejected do not fit the model
"""


def after(model, bench):
    model.more = nn.Linear(4, 4)
