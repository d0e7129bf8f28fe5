"""The guard: each check refuses with its exact reason, cheap ones first, and good code passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from council import syntax
from council.guard import SOURCE_LIMIT, inspect

GOOD = "import bench\nRATE = 0.02\n\ndef build():\n    return 1\n\ndef train(model):\n    return RATE\n"


def test_good_code_passes():
    assert inspect(GOOD, {}) == ""


def test_the_train_py_that_ships_passes(root):
    assert inspect((root / "lab/train.py").read_text(), {}) == ""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (GOOD + "#" * SOURCE_LIMIT, f"train.py would be {len(GOOD) + SOURCE_LIMIT} bytes; the limit is {SOURCE_LIMIT}"),
        (GOOD + "#" + "é" * (SOURCE_LIMIT // 2), "bytes; the limit is"),
        ("def build(:\n", "train.py does not parse: line 1: "),
        ("x = 1\n\0", "train.py does not parse: line 2: the text holds a NUL byte"),
        ("x = '\ud800'\n", "train.py does not parse: the text holds characters that are not valid Unicode"),
        ("(" * 5000, "train.py does not parse: "),
        ("", "train.py does not define build and train"),
        ("def build(): pass\n", "train.py does not define train"),
        ("def train(m): pass\n", "train.py does not define build"),
        (GOOD + "import torch\ntorch.manual_seed(1)\n", "line 10 seeds chance itself (torch.manual_seed(1))"),
        (GOOD + "import random\nrandom.seed(1)\n", "line 10 seeds chance itself (random.seed(1))"),
        (
            GOOD + "from numpy.random import default_rng\ndefault_rng(3)\n",
            "line 10 seeds chance itself (default_rng(3))",
        ),
    ],
)
def test_each_check_says_exactly_what_is_wrong(source, said):
    assert inspect(source, {}).startswith(said) or said in inspect(source, {})


def test_the_limit_itself_is_allowed():
    assert inspect(GOOD + "#" * (SOURCE_LIMIT - len(GOOD)), {}) == ""


def test_code_already_seen_is_named_by_where():
    known = {syntax.fingerprint(GOOD): "experiment 3 (trial)"}
    assert inspect(GOOD, known) == "this is the same code as experiment 3 (trial); comments and layout do not count"


def test_comments_and_layout_make_no_new_code():
    known = {syntax.fingerprint(GOOD): "experiment 3 (trial)"}
    assert "same code" in inspect("# mine\n" + GOOD.replace("    return 1", "    return (1)  # one"), known)
    assert inspect(GOOD.replace("0.02", "0.03"), known) == ""


def test_what_does_not_parse_is_refused_before_anything_else_is_asked():
    assert inspect("import random; random.seed(1); def", {}).startswith("train.py does not parse")


@given(st.text())
def test_no_text_raises_anything(text):
    assert isinstance(inspect(text, {}), str) and inspect(text, {}) != ""
