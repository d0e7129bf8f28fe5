"""How pages read: what is kept belongs to one database."""

from __future__ import annotations

import asyncio
from contextlib import closing, contextmanager

import pytest

from council.store import Store
from council.web.more_pages import compare_page
from council.web.pages import Ask
from council.web.reader import Reader
from tests.web.conftest import ask, lab, serve, write


def test_another_database_in_its_place_is_read_anew(tmp_path):
    home, other = lab(tmp_path / "one"), lab(tmp_path / "other")
    for seed, folder in enumerate((home, other)):
        write(folder / "council.db", rounds=2, name=f"night{seed}", seed=seed)
    reader = Reader(home)

    def name(store):
        return reader.once("name", lambda: next(store.query("SELECT name FROM sessions"))["name"])

    async def seen():
        found = [await reader.read(name), await reader.read(name)]
        (other / "council.db").replace(home / "council.db")
        return [*found, await reader.read(name)]

    try:
        assert asyncio.run(seen()) == ["night0", "night0", "night1"]
    finally:
        reader.close()


def test_the_overview_says_how_often_a_gain_was_looked_at(tmp_path):
    home = lab(tmp_path)
    write(home / "council.db", rounds=8)
    with closing(Store(home / "council.db")) as store:
        book = store.one("books", order="id DESC") or {}
        inputs = {"commit": book["commit"], "look": 2}
        told = {"pairs": 6, "gain": 0.01, "low": -0.01, "sigma": 0.008, "confirmed": 0, "inputs": inputs}
        store.insert("closings", {"session": book["session"], "at": book["at"], **told})
    with contextmanager(serve)(home) as served:
        assert "6 fresh pairs (look 2)" in ask(served, "/")[2]


def test_sessions_are_compared_without_adding_up_their_calls_again(tmp_path):
    home = lab(tmp_path)
    for name in ("before", "night"):
        write(home / "council.db", rounds=2, name=name)
    reader, told = Reader(home), Ask({"a": "night", "b": "before"}, "/compare")
    with closing(Store(home / "council.db")) as store:
        assert _added_up(store, lambda: compare_page(store, told, reader)) == 2
        assert _added_up(store, lambda: compare_page(store, told, reader)) == 0
        call = store.one("calls", order="id DESC", session=2) or {}
        store.insert("calls", {**{k: v for k, v in call.items() if k != "id"}, "attempt": 99})
        assert _added_up(store, lambda: compare_page(store, told, reader)) == 2
    reader.close()


def _added_up(store, make):
    """How many statements read calls with their replies while a page was made."""
    seen, query = [], store.query
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "query", lambda sql, *values: (seen.append(sql), query(sql, *values))[1])
        make()
    return sum("JOIN replies" in sql for sql in seen)
