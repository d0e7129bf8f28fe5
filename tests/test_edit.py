"""Edits: the law that what is made between two texts applies, and what does not apply says why."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from council.edit import CONTEXT_SHOWN, apply, between, unified
from council.errors import EditError
from council.types import TRAIN_PY, Block, Edit

LINE = st.sampled_from(["a = 1", "a = 1", "    return a", "", "b", "b = 'é✓𝄞'", "\tx", "a = 1 ", "\x0c", "\u2028"])
END = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r", ""])
TEXT = st.one_of(st.lists(st.tuples(LINE, END), max_size=25).map(lambda p: "".join(a + b for a, b in p)), st.text())


def test_a_block_replaces_what_it_finds():
    assert apply(Edit((Block("b\n", "B\n"),)), "a\nb\nc\n") == "a\nB\nc\n"


def test_blocks_apply_to_the_parent_in_whatever_order_they_come():
    edit = Edit((Block("c\n", "a\n"), Block("a\n", "c\nc\n")))
    assert apply(edit, "a\nb\nc\n") == "c\nc\nb\na\n"


def test_a_whole_file_replaces_everything():
    assert apply(Edit(whole="new"), "old") == "new" and apply(Edit(whole=""), "old") == ""


@given(TEXT, TEXT)
def test_what_is_made_between_two_texts_turns_one_into_the_other(a, b):
    assert apply(between(a, b), a) == b


@given(st.lists(LINE, min_size=3, max_size=40), st.data())
def test_small_changes_of_repetitive_text_survive_the_way_through_blocks(lines, data):
    a = "\n".join(lines)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines)))
        lines = [*lines[:at], *data.draw(st.lists(LINE, max_size=2)), *lines[at + data.draw(st.integers(0, 2)) :]]
    assert apply(between(a, "\n".join(lines)), a) == "\n".join(lines)


def test_one_changed_line_of_a_file_is_one_small_block():
    a = "".join(f"line {i}\n" for i in range(200))
    edit = between(a, a.replace("line 77\n", "line seventy-seven\n"))
    assert edit == Edit((Block("line 77\n", "line seventy-seven\n"),))


def test_a_search_that_occurs_twice_is_refused_with_the_count():
    with pytest.raises(EditError, match="block 2 occurs 3 times; add lines"):
        apply(Edit((Block("b", ""), Block("a", "x"))), "a a a b")


def test_a_search_that_does_not_occur_shows_the_nearest_region():
    parent = "".join(f"x{i} = {i}\n" for i in range(50)) + "def train(model):\n    rate = 0.02\n    step(rate)\n"
    with pytest.raises(EditError, match="block 1 does not occur; the nearest region is:") as caught:
        apply(Edit((Block("def train(model):\n    rate = 0.03\n", ""),)), parent)
    shown = caught.value.message.split(":\n", 1)[1]
    assert shown.startswith("def train(model):\n    rate = 0.02") and len(shown.splitlines()) <= CONTEXT_SHOWN


def test_overlapping_blocks_are_refused_by_number():
    with pytest.raises(EditError, match="blocks 2 and 1 overlap"):
        apply(Edit((Block("bc", "x"), Block("ab", "y"))), "abc")


def test_blocks_that_touch_do_not_overlap():
    assert apply(Edit((Block("a", "1"), Block("b", "2"))), "ab") == "12"


@pytest.mark.parametrize("path", ["lab/bench.py", "lab//train.py", "../lab/train.py", "train.py", ""])
def test_any_other_path_is_refused(path):
    with pytest.raises(EditError, match="only lab/train.py may change"):
        apply(Edit(whole="x", path=path), "y")


@pytest.mark.parametrize("edit", [Edit(), Edit((Block("a", "b"),), whole="c")])
def test_an_edit_is_blocks_or_a_whole_file(edit):
    with pytest.raises(EditError, match="either SEARCH/REPLACE blocks or one whole file"):
        apply(edit, "a")


def test_an_empty_search_is_refused():
    with pytest.raises(EditError, match="block 1 has an empty search text"):
        apply(Edit((Block("", "b"),)), "a")


def test_a_failing_block_changes_nothing():
    with pytest.raises(EditError):
        apply(Edit((Block("a", "b"), Block("zzz", "b"))), "a")


BLOCKS = st.lists(st.builds(Block, TEXT, TEXT), max_size=4).map(tuple)


@given(st.builds(Edit, BLOCKS, st.none() | TEXT, st.sampled_from([TRAIN_PY, "other.py"])), TEXT)
def test_no_input_raises_anything_but_an_edit_error(edit, parent):
    try:
        assert isinstance(apply(edit, parent), str)
    except EditError as error:
        assert error.message


def test_a_huge_search_against_a_large_file_is_refused_in_time():
    parent = "".join(f"value_{i % 7} = {i % 13}\n" for i in range(3000))
    with pytest.raises(EditError, match="does not occur"):
        apply(Edit((Block("value_x = 1\n" * 3000, ""),)), parent)


PRINTABLE = st.lists(st.tuples(st.sampled_from(["a", "b = 1", "", "é"]), st.just("\n")), max_size=12)
FILE = PRINTABLE.map(lambda pairs: "".join(a + b for a, b in pairs))


def test_a_diff_names_the_file_and_says_where_the_last_line_does_not_end():
    assert unified("a\nb", "a\nc\n") == (
        "--- a/lab/train.py\n+++ b/lab/train.py\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n"
    )
    assert unified("a\n", "a\n") == ""


@pytest.mark.parametrize(
    ("a", "b"), [("a\nb\n", "a\nc\n"), ("a\nb", "a\nc"), ("a\nb\n", "a\nb"), ("a\r\nb\r\n", "a\r\nc\n"), ("", "a\n")]
)
def test_git_applies_the_diff(tmp_path, a, b):
    (tmp_path / "lab").mkdir()
    (tmp_path / TRAIN_PY).write_bytes(a.encode())
    subprocess.run(["git", "apply", "--unsafe-paths", "-"], cwd=tmp_path, input=unified(a, b).encode(), check=True)
    assert (tmp_path / TRAIN_PY).read_bytes() == b.encode()
