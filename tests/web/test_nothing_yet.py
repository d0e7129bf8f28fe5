"""Pages of a lab in which nothing has run say how to begin, whatever its database holds by then."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from council.store import Store
from tests.web.conftest import ask, lab, serve

PATHS = ("/", "/rounds", "/round/last", "/members", "/member?name=a", "/sessions", "/compare", "/compare?a=x&b=y",
         "/search?q=a", "/call?id=1")  # fmt: skip


def schema_only(path):
    Store(path).close()


def no_bytes(path):
    path.touch()


def before_the_schema(path):
    with closing(sqlite3.connect(path)) as made:
        made.execute("PRAGMA page_size=8192")
        made.execute("PRAGMA journal_mode=WAL")


@pytest.fixture(params=[None, no_bytes, before_the_schema, schema_only])
def nothing(request, tmp_path):
    home = lab(tmp_path)
    if request.param:
        request.param(home / "council.db")
    yield from serve(home)


@pytest.mark.parametrize("path", PATHS)
def test_every_page_says_how_to_begin(nothing, path):
    status, _, body = ask(nothing, path)
    assert status == 200 and "council run --offline" in body, body
    status, _, body = ask(
        nothing, path.replace("?", ".json?") if "?" in path else f"{path.rstrip('/') or '/overview'}.json"
    )
    assert status == 200 and json.loads(body)["empty"] is True


def test_the_data_of_nothing_is_no_failure(nothing):
    assert ask(nothing, "/council")[0] in (200, 404)


def test_a_database_of_another_program_is_still_said(tmp_path):
    home = lab(tmp_path)
    with closing(sqlite3.connect(home / "council.db")) as made:
        made.execute("PRAGMA page_size=512")
        made.execute("CREATE TABLE t (a)")
    for served in serve(home):
        status, _, body = ask(served, "/")
        assert status == 500 and "database of another program" in body
