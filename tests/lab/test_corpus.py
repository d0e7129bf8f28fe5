"""Splits, tokens and rows: the same everywhere, and never mixed."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from lab.corpus import SPLITS, Sympy, can_hide, open_corpus, split_of
from lab.data import shuffled, strided_rows
from lab.errors import LabError
from lab.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def sympy() -> Sympy:
    return Sympy()


def test_validation_has_83_files_and_the_vault_77(sympy: Sympy) -> None:
    sizes = {split: sum(len(text.encode()) for text in sympy.documents(split)) for split in SPLITS}
    assert len(sympy.paths("validation")) == 83
    assert len(sympy.paths("vault")) == 77
    assert sizes["validation"] == pytest.approx(1.65e6, rel=0.01)
    assert sizes["vault"] == pytest.approx(1.05e6, rel=0.01)
    assert sizes["train"] == pytest.approx(23.5e6, rel=0.01)


def test_splits_share_no_file_and_leave_none_out(sympy: Sympy) -> None:
    split = [path for name in SPLITS for path in sympy.paths(name)]
    assert len(split) == len(set(split))
    assert set(split) == {
        path.relative_to(sympy.root).as_posix() for path in sympy.root.rglob("*.py") if path.stat().st_size
    }


def test_what_is_not_for_training_can_be_hidden(sympy: Sympy) -> None:
    for path in (*sympy.paths("validation"), *sympy.paths("vault")):
        assert "/tests/" in f"/{path}" or path.split("/")[0] in {
            "physics", "stats", "vector", "categories", "holonomic", "codegen",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "hideable"),
    [
        ("core/tests/test_expr.py", True),
        ("physics/units/systems.py", True),
        ("core/expr.py", False),
        ("core/physics/expr.py", False),  # only at the top
        ("tests.py", False),  # a file is not a folder
    ],
)
def test_only_what_no_box_imports_can_be_hidden(path: str, hideable: bool) -> None:
    assert can_hide(path) is hideable


def test_the_split_follows_from_the_path_alone() -> None:
    for number in range(500):
        path = f"core/tests/test_{number}.py"
        first = hashlib.sha256(path.encode()).digest()[0]
        expected = "validation" if first < 26 else "vault" if first < 52 else "train"
        assert split_of(path) == expected
        assert split_of(path.replace("tests/", "")) == "train"


def test_an_unknown_corpus_is_named_with_those_there_are() -> None:
    with pytest.raises(LabError, match=r"'atlantis'.*sympy"):
        open_corpus("atlantis")


def test_the_digest_changes_with_one_byte(tmp_path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    before = Sympy(tmp_path).digest()
    (tmp_path / "a.py").write_text("x = 2\n")
    assert Sympy(tmp_path).digest() != before


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(["hello hello hello wörld wörld ∑∑∑∑ x = 1\n"] * 50, 280)


def test_tokens_decode_to_the_text(tokenizer: Tokenizer) -> None:
    texts = ["hello wörld", "∑ λ \x00\x7f 🙂", "<|bos|> is text here", "\n\n"]
    tokens = tokenizer.encode_documents(texts)
    assert tokenizer.decode(tokens.tolist()) == "".join(texts).encode()
    assert (tokens == tokenizer.bos).sum() == len(texts)
    assert tokens.max() < tokenizer.vocab_size


def test_a_token_counts_its_own_bytes(tokenizer: Tokenizer) -> None:
    lengths = tokenizer.byte_lengths()
    assert len(lengths) == tokenizer.vocab_size
    assert lengths[tokenizer.bos] == 0
    for token, length in zip(tokenizer.tokens, lengths, strict=False):
        assert length == len(token)
    lone = [rank for rank, token in enumerate(tokenizer.tokens) if len(token) == 1 and token[0] >= 0x80]
    assert len(lone) == 128
    assert (lengths[lone] == 1).all()  # through str each would count three


def test_bytes_of_the_tokens_are_the_bytes_of_the_text(tokenizer: Tokenizer) -> None:
    text = "hello wörld ∑ 🙂" * 7
    assert tokenizer.byte_lengths()[tokenizer.encode_documents([text])].sum() == len(text.encode())


def test_the_tokenizer_survives_its_json(tokenizer: Tokenizer) -> None:
    again = Tokenizer.from_json(tokenizer.to_json())
    assert again == tokenizer
    assert again.digest() == tokenizer.digest()


def test_training_tokens_are_whole_chunks_in_an_order_of_the_seed() -> None:
    tokens = np.arange(1000, dtype=np.int16)
    first, again, other = shuffled(tokens, 1, 64), shuffled(tokens, 1, 64), shuffled(tokens, 2, 64)
    assert (first == again).all()
    assert (first != other).any()
    assert sorted(first.tolist()) == list(range(960))
    assert all((np.diff(chunk) == 1).all() for chunk in first.reshape(-1, 64))


def test_rows_are_disjoint_and_spread_over_all_tokens() -> None:
    rows = strided_rows(np.arange(10_000, dtype=np.int16), 20, 99)
    assert rows.shape == (20, 100)
    assert len(np.unique(rows)) == rows.size
    assert rows[0, 0] == 0
    assert rows[-1, 0] == 9500


def test_too_few_tokens_for_a_row_is_an_error() -> None:
    with pytest.raises(LabError, match="12 tokens are too few for one row of 129"):
        strided_rows(np.zeros(12, dtype=np.int16), 4, 128)
