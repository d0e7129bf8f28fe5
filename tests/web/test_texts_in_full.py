"""What members were asked and what they wrote is shown whole and in its own lines."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import closing

import pytest

from council.store import Store
from tests.report import nights
from tests.web.conftest import Served, ask, lab, serve

LINE = "".join(f"<word {n}> " for n in range(500)) + "the last word"
"""One line of 5,000 characters."""

CRITIQUE = "First point:\n  - it may be noise\n  - or the warmup\n\nSecond point: \u202enone"


@pytest.fixture(scope="module")
def wordy(tmp_path_factory) -> Iterator[Served]:
    """A night with one more call of long lines, and a critique of several."""
    home = lab(tmp_path_factory.mktemp("wordy"))
    nights.write(home / "council.db", rounds=2)
    with closing(Store(home / "council.db")) as store, store.atomic():
        call, reply = store.one("calls", order="id DESC"), store.one("replies", order="id DESC")
        critique = store.one("critiques", round=2)
        assert call and reply and critique
        messages = [{"role": "user", "content": f"{LINE}\nasked\x1b[2J"}]
        made = store.insert("calls", {**_anew(call), "step": "debate2", "request": {"messages": messages}})
        raw = {"text": f"{LINE} raw"}
        store.insert("replies", {**_anew(reply), "call": made, "text": f"{LINE}\nanswered\u202e", "raw": raw})
        store.insert("critiques", {**_anew(critique), "member": "tpe", "text": CRITIQUE})
        store.insert("critiques", {**_anew(critique), "member": "textbook", "text": "much " * 4000})
    yield from serve(home)


def _anew(row):
    return {k: v for k, v in row.items() if k != "id"}


def _text(body):
    return html.unescape(re.sub(r"<[^>]*>", "", body))


def test_a_call_is_shown_to_its_last_character(wordy):
    with closing(Store(wordy.home / "council.db", read_only=True)) as store:
        call = store.one("calls", step="debate2")["id"]
    body = _text(ask(wordy, f"/call?id={call}")[2])
    assert f"{LINE}\nasked␛[2J" in body and f"{LINE}\nanswered<U+202E>" in body
    assert f"{LINE} raw" in body and json.dumps(f"{LINE}\nasked\x1b[2J")[1:-10] in body


def test_a_critique_keeps_its_lines_and_says_what_is_left_out(page, wordy):
    page.goto(wordy.url + "/round/2")
    shown = page.locator(".thread .critique .text").all_inner_texts()
    assert CRITIQUE.replace("\u202e", "<U+202E>") in shown
    assert any(text.endswith("… (11,999 more characters)") for text in shown)
