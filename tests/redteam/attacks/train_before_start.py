"""Trains on text from the disk before it asks for the tokens.

must: timeout
budget: 0.5
"""


def before(model, bench):
    text = open(os.__file__, "rb").read()
    tokens = torch.tensor(list(text[: 8 * 129])).view(8, 129)
    while True:
        learn(model, tokens)
