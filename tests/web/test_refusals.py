"""What is asked wrongly of Datasette's pages is said in words, and no statement holds the pages up."""

from __future__ import annotations

import json
import threading
import time
from urllib.parse import quote

import pytest

from council.web import plugin, refusals
from council.web.refusals import SECONDS, TOO_LONG
from tests.web.conftest import ask

ENDLESS = quote("with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/council/proposals?_sort=evil", "Cannot sort table by evil"),
        ("/council/proposals?_sort=id&_sort_desc=id", "_sort_desc at the same time"),
        ("/council/proposals?_size=99999999", "_size must be"),
        ("/council/proposals?_size=x", "_size must be a positive integer"),
        ("/council/proposals?_timelimit=x", "The address asks for something that cannot be read"),
        ("/council/proposals?_through=%7B%7D", "The address asks for something that cannot be read"),
        ("/council/proposals?id__in=%5B", "The address asks for something that cannot be read"),
        ("/council/proposals/1.blob?_blob_column=evil", "evil is not a valid column"),
        ("/council.json?sql=select+zeroblob(1000000000)", "too big"),
        ("/council?sql=selec", "Statement must be a SELECT"),
        ("/council.csv?sql=selec", "Statement must be a SELECT"),
    ],
)
def test_a_wrong_question_is_refused_in_words(plain, path, said):
    status, _, body = ask(plain, path)
    assert status == 400 and said in body


def test_a_wrong_question_for_csv_is_answered_in_plain_text(plain):
    status, headers, body = ask(plain, "/council/proposals.csv?_stream=on")
    assert status == 400 and headers["content-type"].startswith("text/plain") and body == "CSV streaming is disabled\n"


@pytest.mark.parametrize("kind", ["", ".json", ".csv"])
def test_a_statement_that_takes_too_long_is_stopped_and_told_in_plain_words(plain, kind):
    begun = time.perf_counter()
    status, _, body = ask(plain, f"/council{kind}?sql={ENDLESS}")
    assert status == 400 and time.perf_counter() - begun < SECONDS + 5
    assert TOO_LONG in (json.loads(body)["error"] if kind == ".json" else body)
    assert "docs.datasette.io" not in body and "&lt;" not in body


def test_endless_statements_leave_the_tables_readable(plain):
    asking = [threading.Thread(target=ask, args=(plain, f"/council.json?sql={ENDLESS}")) for _ in range(8)]
    for thread in asking:
        thread.start()
    begun = time.perf_counter()
    assert ask(plain, "/council/verdicts")[0] == 200 and time.perf_counter() - begun < 8
    for thread in asking:
        thread.join()


def test_a_failure_of_our_own_pages_is_none_of_the_client():
    assert refusals.told(KeyError("x"), theirs=False) == (500, "KeyError: 'x'")


@pytest.mark.parametrize(
    ("path", "theirs"),
    [("/council", True), ("/council.json", True), ("/council/calls", True), ("/councils", False), ("/rounds", False)],
)
def test_datasettes_pages_are_told_from_ours(path, theirs):
    assert bool(plugin.THEIRS.match(path)) is theirs
