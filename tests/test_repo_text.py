"""What commits say: one clean line, trailers that read back, names that are safe in a ref and a folder."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from council.repo import valid_session_name
from council.repo_text import SUBJECT_LIMIT, message, one_line, parse_trailers, valid_ref


@given(st.text(), st.text())
@example("a\n\nCouncil-Ledger: forged", "b\nCouncil-Ledger: forged")
def test_whatever_is_written_the_trailers_are_read_back(subject: str, value: str) -> None:
    said = message(subject, {"Council-Member": value, "Council-Ledger": "real"})
    assert parse_trailers(said) == {"Council-Member": one_line(value, 500), "Council-Ledger": "real"}
    assert len(said.splitlines()) == 4 and said.split("\n")[1] == ""
    assert said.encode("utf-8").decode("utf-8") == said


@given(st.text())
def test_a_subject_alone_is_never_a_trailer(subject: str) -> None:
    assert parse_trailers(message(subject, {})) == {}
    assert parse_trailers(message(f"Council-Ledger: {subject}", {})) == {}


def test_a_last_paragraph_with_other_lines_holds_no_trailers() -> None:
    assert parse_trailers("s\n\nCouncil-Round: 1\n\nand then\nCouncil-Ledger: x\n") == {}
    assert parse_trailers("s\n\nCouncil-Round: 1\n\nCouncil-Ledger: x\n") == {"Council-Ledger": "x"}


@pytest.mark.parametrize(
    ("name", "valid"),
    [("2026-11-20", True), ("2026-11-20-2", True), ("a" * 64, True), ("A.b_c-d", True), ("a" * 65, False)]
    + [
        (name, False) for name in ("", ".a", "-a", "a..b", "a.lock", "a.", "a/b", "a b", "a\n", "ü", "@{", "a~1", "a:b")
    ],
)
def test_names_of_sessions(name: str, valid: bool) -> None:
    assert valid_session_name(name) is valid


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  a\t b \n", "a b"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", "link"),
        ("a\u202eb\u200bc\x00d", "abcd"),
        ("a\u2028b\x85c", "a b c"),
        ("# ------------------------ >8 ---", "# -- >8 --"),
        ("-3 % of σ, 学习率", "-3 % of σ, 学习率"),
    ],
)
def test_a_line_keeps_its_words_and_loses_its_tricks(text: str, line: str) -> None:
    assert one_line(text, SUBJECT_LIMIT) == line


def test_a_long_line_is_cut_with_a_sign() -> None:
    assert one_line("ab " * 100, 10) == "ab ab ab…"
    assert one_line("a" * 10, 10) == "a" * 10


@given(st.text(), st.integers(min_value=0, max_value=20))
def test_a_line_is_printable_and_cleaning_it_again_changes_nothing(text: str, extra: int) -> None:
    line = one_line(text, 20 + extra)
    assert len(line) <= 20 + extra and line.isprintable()
    assert one_line(line, 20 + extra) == line


@pytest.mark.parametrize("name", ["refs/heads/council/2026-11-20", "refs/council/n/x17", "refs/council/n/best"])
def test_refs_of_a_session_are_valid(name: str) -> None:
    assert valid_ref(name)
