"""Every edit of the textbook on the real train.py: alone, after every other, and trained for a few steps."""

from __future__ import annotations

import ast
import builtins
import functools
import random
import types
from pathlib import Path

import pytest
import torch

from council import edit, syntax
from council.members.textbook import EDITS

TRAIN = (Path(__file__).parents[2] / "lab" / "train.py").read_text()
TITLES = {entry.title: entry for entry in EDITS}
VOCABULARY, LENGTH, STEPS = 64, 16, 4
NEEDS_OTHER_START = {
    "Let the logits grow without a cap": lambda source: syntax.with_constant(source, "SOFTCAP", 15.0),
    "Smear each token's embedding into the next": lambda source: source.replace("smear", "blur").replace(
        "SMEAR", "BLUR"
    ),
}
"""Edits that do not apply to the shipped train.py on a CPU, each with a change after which they do."""


class Bench:
    """What a train.py is given, in small."""

    device, vocab_size, seq_len, seed, budget = "cpu", VOCABULARY, LENGTH, 1, 1.0

    def __init__(self) -> None:
        self.chance = torch.Generator().manual_seed(1)
        self.asked, self.losses = 0, []

    def sample(self, rows):
        return torch.randint(0, VOCABULARY, (rows, LENGTH), generator=self.chance)

    def start(self):
        return torch.randint(0, VOCABULARY, (3000,), generator=self.chance).to(torch.uint16)

    def progress(self):
        self.asked += 1
        return (self.asked - 1) / STEPS

    def log(self, step, loss):
        self.losses.append(float(torch.as_tensor(loss).detach()))


def train(source):
    """Run a train.py in this process; the text is our own. The model it ends with, and its last loss."""
    module = types.ModuleType("train")
    builtins.exec(compile(source, "train.py", "exec"), module.__dict__)
    torch.manual_seed(0)
    bench = Bench()
    model = module.build(bench)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    module.train(model, bench)
    with torch.no_grad():
        logits = model(bench.sample(3))
    assert logits.shape == (3, LENGTH, VOCABULARY)
    assert torch.isfinite(logits).all()
    assert bench.losses and all(0 < loss < 10 for loss in bench.losses)
    fresh = module.build(bench)
    fresh.load_state_dict(model.state_dict(), strict=True)
    still = [name for name, value in model.state_dict().items() if torch.equal(value, start[name])]
    return still


@functools.cache
def alone(title):
    return TITLES[title].apply(TRAIN)


def both(first, second):
    before = alone(first)
    return None if before is None else TITLES[second].apply(before)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("title", TITLES)
def test_each_edit_alone(title):
    child = alone(title)
    assert (child is None) == (title in NEEDS_OTHER_START)
    source = TRAIN
    if child is None:
        source = NEEDS_OTHER_START[title](TRAIN)
        child = TITLES[title].apply(source)
    assert syntax.fingerprint(child) != syntax.fingerprint(source)
    assert {"build", "train"} <= syntax.defines(child) and not syntax.seeding(child)
    assert edit.apply(edit.between(source, child), source) == child
    assert all(len(line) <= 120 and line == line.rstrip() for line in child.splitlines())
    assert "\n\n\n\n" not in child
    assert train(child) == train(source), "the edit leaves parameters untrained"


@pytest.mark.parametrize("first", TITLES)
def test_each_edit_after_every_other(first):
    before = alone(first)
    if before is None:
        pytest.skip("does not apply to the shipped train.py")
    for second in TITLES:
        child = both(first, second)
        if child is not None:
            assert {"build", "train"} <= syntax.defines(child), second
            assert child != before, second
            assert all(len(line) <= 120 for line in child.splitlines()), second


def test_a_sample_of_pairs_trains():
    drawn = random.Random(20261120).sample([(a, b) for a in TITLES for b in TITLES if a != b], 40)
    trained = [pair for pair in drawn if both(*pair) is not None]
    for pair in trained:
        train(both(*pair))
    assert len(trained) > 25


@pytest.mark.slow
@pytest.mark.parametrize("first", TITLES)
def test_all_pairs_train(first):
    broken = []
    for second in TITLES:
        child = both(first, second)
        try:
            if child is not None:
                train(child)
        except Exception as error:  # every failure is reported, not only the first
            broken.append(f"{second}: {error!r}")
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("title", TITLES)
def test_an_edit_survives_code_it_does_not_know(title):
    for source in ("", "x = 1\n", "class GPT:\n    pass\n", "def train(model, bench):\n    return\n", "def build(:\n"):
        assert TITLES[title].apply(source) is None


def test_an_edit_finds_its_place_whatever_the_layout():
    """Comments, line breaks and quotes differ; what is found does not."""
    plain = ast.unparse(ast.parse(TRAIN))
    for title in TITLES:
        if alone(title) is not None:
            child = TITLES[title].apply(plain)
            assert child is not None, title
            assert syntax.constants(child, "cuda") == syntax.constants(alone(title), "cuda"), title
