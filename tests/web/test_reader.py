"""How pages read: what is kept belongs to one database."""

from __future__ import annotations

import asyncio
from contextlib import closing, contextmanager

from council.store import Store
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
