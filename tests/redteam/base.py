"""The honest model that every attack is put behind; a name that the attack defines replaces the one here.

Not a module of the tests: its text and the text of an attack together are one train.py.
"""

import glob
import json
import os
import sys
import time
from contextlib import suppress

import torch
import torch.nn as nn


class Honest(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, 8)
        self.head = nn.Linear(8, vocab_size)

    def forward(self, idx):
        return answer(self, idx, self.head(self.embedding(idx)))


def build(bench):
    at_build(bench)
    return Honest(bench.vocab_size)


def train(model, bench):
    before(model, bench)
    tokens = bench.start()
    for step in range(3):
        learn(model, tokens[: 8 * 129].view(8, 129).long())
    bench.log(3, 1.0)
    after(model, bench)


def learn(model, rows):
    logits = model(rows[:, :-1])
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten()).backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 0.1 * parameter.grad
            parameter.grad = None


def at_build(bench):
    """Before the model is built, in every box."""


def before(model, bench):
    """Before the tokens are asked for."""


def after(model, bench):
    """After training."""


def answer(model, idx, logits):
    """The logits that are given for idx; model.training is False where they are scored."""
    return logits


def in_score_box(bench):
    """Whether this is not the train box: the box knows, and whatever the box knows the attack can see."""
    frame = sys._getframe()
    while frame is not None and not isinstance(frame.f_locals.get("spec"), dict):
        frame = frame.f_back
    return frame is not None and frame.f_locals["spec"].get("role") != "train"


def readable(path):
    try:
        if os.path.isdir(path):
            return bool(os.listdir(path))
        with open(path, "rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


def breach(what):
    """An attack has worked: end in a way that no honest train.py does."""
    print("BREACH", what, flush=True)
    raise SystemExit(f"BREACH: {what}")
