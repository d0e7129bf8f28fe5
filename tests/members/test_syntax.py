"""Reading train.py as syntax: constants, fingerprints, seeding calls, and text that is not Python."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from council import syntax

SOURCE = '''"""A trainer."""
LR = 0.02  # é, the peak rate
BATCH: int = 2**19
FLAG = True
low, WIDTH = 1, 1 / 4
LOSS = -3
NAME = "x"


def build(bench):
    """Build."""
    return LR


def train(model, bench):
    torch.manual_seed(bench.seed)
'''


def test_constants_are_the_upper_case_numbers_at_the_top() -> None:
    assert syntax.constants(SOURCE) == {"LR": 0.02, "BATCH": 524288, "WIDTH": 0.25, "LOSS": -3}


def test_a_name_set_twice_counts_with_its_last_value() -> None:
    assert syntax.constants("A = 1\nA = 2\nB = 1\nB = None\n") == {"A": 2}
    assert syntax.with_constant("A = 1\nA = 2\n", "A", 3) == "A = 1\nA = 3\n"


@pytest.mark.parametrize(
    "text", ["X = 10**400", "X = 1 << 4000", "X = 1 / 0", "X = 9**9**9", "X = 1e999", "X = (-1) ** 0.5"]
)
def test_arithmetic_that_is_no_setting_is_no_constant(text: str) -> None:
    assert syntax.constants(text) == {}


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("LR", 0.03, "LR = 0.03  # é, the peak rate"),
        ("LR", 1, "LR = 1.0  # é, the peak rate"),
        ("BATCH", 2.0**18, "BATCH: int = 2**18"),
        ("BATCH", 1000.4, "BATCH: int = 1000"),
        ("WIDTH", 0.5, "low, WIDTH = 1, 0.5"),
        ("LOSS", 4, "LOSS = 4"),
    ],
)
def test_setting_a_constant_changes_its_literal_and_nothing_else(name: str, value: float, line: str) -> None:
    before, after = SOURCE.splitlines(), syntax.with_constant(SOURCE, name, value).splitlines()
    assert [new for old, new in zip(before, after, strict=True) if old != new] == [line]


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["\n", "\r\n", "\r"]))
def test_a_constant_reads_back_as_it_was_set(value: float, newline: str) -> None:
    source = SOURCE.replace("\n", newline)
    assert syntax.constants(syntax.with_constant(source, "LR", value))["LR"] == value


def test_setting_an_unknown_constant_says_which() -> None:
    with pytest.raises(KeyError, match="FLAG"):
        syntax.with_constant(SOURCE, "FLAG", 1)


def test_a_fingerprint_ignores_comments_docstrings_and_layout() -> None:
    same = SOURCE.replace("  # é, the peak rate", "").replace('"""Build."""', "pass").replace("\n\n\n", "\n# hm\n")
    assert syntax.fingerprint(same) == syntax.fingerprint(SOURCE)


def test_a_fingerprint_is_the_same_whatever_was_read_before() -> None:
    """Statements that share a line, a line that another statement had, decorators, and text over several lines."""
    texts = [
        *("A = 1; B = 2", "A = 1; B = 2; C = 3", "A = 1", "B = 2; A = 1", "A = 1 ; B = 2"),
        *("@one\ndef f(): pass", "@two\ndef f(): pass", "def f(): pass", "def f(): 1", "@one\n@two\ndef f(): 2"),
        *('X = """\nA = 1\n"""', 'X = """\nA = 2\n"""', "X = (\n1,\n)", "X = (\n2,\n)", "", "pass", '"doc"'),
        *("if A:\n  B\nelse:\n  C", "if A:\n  B\nelse:\n  D", "é = 1; A = 1"),
    ]
    alone = {}
    for text in texts:
        syntax._statements.clear()
        alone[text] = syntax.fingerprint(text)
    for text in [*texts, *reversed(texts)]:
        assert syntax.fingerprint(text) == alone[text]
    assert len({alone[text] for text in texts}) == len(texts) - 3  # a space, two ways to say pass, and a docstring


@pytest.mark.parametrize(
    ("old", "new"),
    [("0.02", "0.03"), ("True", "1"), ("return LR", "return -LR"), ("def build", "def built"), ("-3", "-3.0")],
)
def test_a_fingerprint_tells_codes_apart(old: str, new: str) -> None:
    assert syntax.fingerprint(SOURCE.replace(old, new)) != syntax.fingerprint(SOURCE)


@pytest.mark.parametrize(
    "call",
    [
        "torch.manual_seed(1337)",
        "torch.manual_seed(bench.seed + 1)",
        "np.random.default_rng()",
        "torch.seed()",
        "generator.manual_seed(other.seed)",
        "random.seed(*bench.seed)",
        "torch.cuda.manual_seed_all(bench.seed, 1)",
        "torch.set_rng_state(state)",
        "getattr(torch, 'manual_seed')(3)",
        "chance = torch.manual_seed",
    ],
)
def test_seeding_with_anything_else_is_found_with_its_line(call: str) -> None:
    assert [line for line, _ in syntax.seeding(f"import torch\n\n{call}\n")] == [3]


def test_a_seeder_under_another_name_is_found() -> None:
    assert syntax.seeding("from torch import manual_seed as calm\n") == [(1, "from torch import manual_seed as calm")]


@pytest.mark.parametrize(
    "call",
    [
        "torch.manual_seed(bench.seed)",
        "default_rng(seed=bench.seed)",
        "seed = bench.seed",
        "x = seed",
        "torch.randn(3)",
    ],
)
def test_the_given_seed_is_allowed(call: str) -> None:
    assert syntax.seeding(call) == []


def test_functions_defined_at_the_top() -> None:
    assert syntax.defines(SOURCE + "\nclass A:\n    def b(self): ...\n") == {"build", "train"}


@pytest.mark.parametrize("read", [syntax.constants, syntax.fingerprint, syntax.seeding, syntax.defines])
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = 1\ndef f(:\n", 2),
        ("x = 1\ny = '\0'\n", 2),
        ("(" * 500, 1),
        ("-" * 100_000 + "1", None),
        ("1+" * 100_000 + "1", None),
        ("x = '\ud800'", None),
        ("\tx = 1", 1),
    ],
)
def test_text_that_is_not_python_is_unparsable(read: object, text: str, line: int | None) -> None:
    with pytest.raises(syntax.Unparsable) as caught:
        read(text)
    assert caught.value.line == line


@given(st.text(max_size=60))
def test_any_text_is_read_or_unparsable(text: str) -> None:
    try:
        values = syntax.constants(text)
    except syntax.Unparsable:
        return
    for name, value in values.items():
        assert syntax.constants(syntax.with_constant(text, name, value)) == values
    assert len(syntax.fingerprint(text)) == 64
