"""What models write, and what must come out of it: one file per way of being right or wrong, in `replies/`.

The first line of a file says what is expected, everything after the line of dashes is the reply, byte for byte.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from council import edit
from council.errors import BadReply, EditError, Refused
from council.members import replies
from council.members.replies_text import number
from council.types import Edit, Proposal

HERE = Path(__file__).parent / "replies"
SOURCE = (HERE / "train.txt").read_text()
LABELS = ("A", "B", "C")
OLD = Proposal("Old title", "Old reasons.", "schedule", Edit(whole=SOURCE), 0.2)


def cases(kind: str) -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in sorted((HERE / kind).glob("*.txt"))]


def read(path: Path) -> tuple[dict[str, Any], str]:
    head, _, text = path.read_bytes().decode().partition("\n---\n")
    return json.loads(head), text


def outcome(call: Any, expected: dict[str, Any]) -> Any:
    """What a reader made of a reply that is expected to be readable; the others are checked here."""
    if "bad" in expected:
        with pytest.raises(BadReply, match=re.escape(expected["bad"])):
            call()
        return None
    if expected.get("refused"):
        with pytest.raises(Refused):
            call()
        return None
    return call()


def child_of(expected: dict[str, Any]) -> str:
    child = SOURCE
    for old, new in expected["becomes"]:
        assert child.count(old) == 1
        child = child.replace(old, new)
    return child


def check_proposal(found: Proposal, expected: dict[str, Any]) -> None:
    if "fails" in expected:
        with pytest.raises(EditError, match=expected["fails"]):
            edit.apply(found.edit, SOURCE)
        return
    assert edit.apply(found.edit, SOURCE) == child_of(expected)
    for field in ("title", "family", "forecast"):
        if field in expected:
            assert getattr(found, field) == expected[field]
    if "title_length" in expected:
        assert len(found.title) == expected["title_length"]


def test_there_are_enough_ways_of_being_right_or_wrong() -> None:
    assert len(list(HERE.glob("*/*.txt"))) >= 60


@pytest.mark.parametrize("path", cases("proposal"))
def test_a_proposal(path: Path) -> None:
    expected, text = read(path)
    found = outcome(lambda: replies.proposal(text, SOURCE), expected)
    if expected.get("abstains"):
        assert found is None
    elif found is not None:
        check_proposal(found, expected)


@pytest.mark.parametrize("path", cases("ballot"))
def test_a_ballot(path: Path) -> None:
    expected, text = read(path)
    found = outcome(lambda: replies.ballot(text, LABELS), expected)
    if found is not None:
        assert list(found.ranking) == expected["ranking"]
        assert found.forecasts == pytest.approx(expected["forecasts"])


@pytest.mark.parametrize("path", cases("critique"))
def test_a_critique(path: Path) -> None:
    expected, text = read(path)
    found = outcome(lambda: replies.critiques(text, LABELS), expected)
    if found is not None:
        assert {one.label: one.text for one in found} == expected["comments"]


@pytest.mark.parametrize("path", cases("response"))
def test_a_response(path: Path) -> None:
    expected, text = read(path)
    found = outcome(lambda: replies.response(text, SOURCE, OLD), expected)
    if found is not None:
        assert found.text == expected["text"]
        assert (found.revised is not None) == ("becomes" in expected)
        if found.revised:
            check_proposal(found.revised, expected)


PIECES = st.sampled_from(
    [
        *("<<<<<<< SEARCH\n", "=======\n", ">>>>>>> REPLACE\n", "```python\n", "```\n", "lab/train.py\n", "../x.py\n"),
        *(
            "TITLE: t\n",
            "FORECAST: 0.4\n",
            "FAMILY: batch\n",
            "HYPOTHESIS: h\n",
            "EDIT:\n",
            "BALLOT\n",
            "@@ -1 +1 @@\n",
        ),
        *(
            "--- a/lab/train.py\n",
            "+++ b/lab/train.py\n",
            "+x = 1\n",
            "-DIM = 128\n",
            " DEPTH = 2\n",
            "\n",
            "{",
            "}",
            '"',
        ),
        *("DIM = 128  # width of the residual stream\n", "def build(bench):\n", "def train(model, bench):\n", "..."),
        *(
            "1. A 0.4\n",
            "2. B 40%\n",
            "C: 3\n",
            "RANKING: A > B\n",
            "COMMENT A: x\n",
            "NONE",
            "| 1 | A | .3 |\n",
            "\x00",
        ),
        *('{"title": 1, "edit": {"blocks": [{"search": "a"}]}}', '{"ranking": [1, null], "forecasts": [3]}', "\ud800"),
        *(
            '{"items": [{"label": null, "p": true}]}',
            "[[",
            "1e999",
            "0.5.5",
            "-0.2",
            "\r\n",
            "&lt;&lt;&lt;&lt;",
            "</think>",
        ),
    ]
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=25).map("".join))


@settings(max_examples=250, deadline=None)
@given(TEXTS)
@example("[" * 100_000)
@example('{"a":' * 5000)
@example("<<<<<<< SEARCH\n" * 300)
@example("`" * 20_000)
@example("=======\n" * 3000)
@example("1. A " * 5000)
def test_no_reply_raises_anything_but_bad_reply_or_refused(text: str) -> None:
    for call in (
        lambda: replies.proposal(text, SOURCE),
        lambda: replies.proposal(text, "", OLD),
        lambda: replies.ballot(text, LABELS),
        lambda: replies.critiques(text, LABELS),
        lambda: replies.response(text, SOURCE, OLD),
    ):
        try:
            call()
        except (BadReply, Refused) as error:
            assert len(str(error)) < 4000


LINES = st.lists(
    st.sampled_from(["a = 1", "b = 2", "    c = 3", "", "d = 4  # x", "a = 1", "def build(): pass"]), max_size=12
)


@settings(max_examples=200, deadline=None)
@given(LINES, LINES)
def test_an_edit_between_two_texts_survives_being_written_and_read(old: list[str], new: list[str]) -> None:
    a, b = "\n".join([*old, "end = 0", ""]), "\n".join([*new, "end = 1", ""])
    made = edit.between(a, b)
    if made.whole is not None:
        return
    blocks = "\n".join(f"<<<<<<< SEARCH\n{x.search}=======\n{x.replace}>>>>>>> REPLACE" for x in made.blocks)
    found = replies.proposal(f"TITLE: t\nFORECAST: 0.5\nEDIT:\n{blocks}\n", a)
    assert found is not None
    assert edit.apply(found.edit, a) == b


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_applying_the_edit_between_two_texts_gives_the_second(a: str, b: str) -> None:
    assert edit.apply(edit.between(a, b), a) == b


@settings(max_examples=150, deadline=None)
@given(
    st.permutations(["A", "B", "C", "D"]),
    st.lists(st.integers(2, 98), min_size=4, max_size=4),
    st.sampled_from(["{i}. {l} {p:.2f} why 3 of 4", "{l}: {p:.2f}", "| {i} | {l} | {p:.2f} |", "{i}) **{l}** — {c}%"]),
)
def test_any_complete_ballot_is_read_as_meant(order: list[str], cents: list[int], form: str) -> None:
    chances = sorted((c / 100 for c in cents), reverse=True)
    lines = [
        form.format(i=i, l=name, p=p, c=round(p * 100))
        for i, (name, p) in enumerate(zip(order, chances, strict=True), 1)
    ]
    found = replies.ballot("\n".join(["Some thoughts about A.", "", "BALLOT", *lines]), ["A", "B", "C", "D"])
    assert list(found.ranking) == order
    assert found.forecasts == pytest.approx(dict(zip(order, chances, strict=True)))


@pytest.mark.parametrize(
    ("said", "value"),
    [("0.3-0.4", 0.35), ("30–40 %", 0.35), ("30% to 40%", 0.35), ("0,3 to 0,4", 0.35)]
    + [("0.35 - 2 of 3 such edits helped", 0.35), ("0.35 to 3 decimals", 0.35), ("0.35-ish", 0.35), ("101-102%", None)],
)
def test_of_a_range_the_middle_is_the_forecast(said: str, value: float | None) -> None:
    assert number(said) == (None if value is None else pytest.approx(value))
