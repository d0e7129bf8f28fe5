"""The pictures of the README come from a lab or from an exported night; where there is neither, it says so."""

from __future__ import annotations

from contextlib import closing
from urllib.request import urlopen

import pytest

from council.errors import UsageError
from council.store import Store
from council.ui.jsonlines import line
from council.views import export
from council.web import screenshots
from tests.report.nights import write


@pytest.fixture
def taken(monkeypatch):
    """What each picture would show: a browser is not needed to know that."""
    found = {}

    def take(address, file, width, height):
        with urlopen(address, timeout=30) as page:
            found[file.name] = page.read().decode()

    monkeypatch.setattr(screenshots, "take", take)
    return found


@pytest.mark.parametrize("kind", ["lab", "export"])
def test_pictures_come_from_a_lab_and_from_an_exported_night(tmp_path, taken, kind):
    database = tmp_path / "lab" / ".council" / "council.db"
    database.parent.mkdir(parents=True)
    write(database, rounds=3, name="kept-night")
    given = tmp_path / "lab"
    if kind == "export":
        given = tmp_path / "night.jsonl"
        with closing(Store(database, read_only=True)) as store:
            given.write_text("".join(f"{line(row)}\n" for row in export.rows(store)))
    screenshots.main(given, tmp_path / "images")
    assert set(taken) == {"overview.png", "round.png", "members.png", "report.png"}
    assert all("kept-night" in text for text in taken.values())


@pytest.mark.parametrize("name", ["", "none"])
def test_where_no_session_has_run_it_says_what_to_name(tmp_path, name, taken):
    with pytest.raises(UsageError, match="there is no session in"):
        screenshots.main(tmp_path / name, tmp_path / "images")
    assert not taken and not (tmp_path / "images").exists()
