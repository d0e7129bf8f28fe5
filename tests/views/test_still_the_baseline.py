"""While the baseline is the best, every face tells one belief of it, and no gain of it over itself."""

from __future__ import annotations

import re
import subprocess
from contextlib import closing, contextmanager
from html import unescape

import pytest
from click.testing import CliRunner

from council.cli import cli
from council.store import Store
from council.ui import board, markdown, report
from council.ui import status as terminal
from council.views import compare, night, status, watch
from council.views.words import bpb
from tests.web.conftest import ask, lab, serve, write

SAID = "1.81234 ± 0.00400 BPB"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A lab whose baseline, after two discarded trials, is booked above the mean of its own runs."""
    found = lab(tmp_path_factory.mktemp("lab"))
    for name in ("first", "other"):
        write(found / "council.db", rounds=0, name=name)
        with closing(Store(found / "council.db")) as store:
            row = store.one("books", order="id DESC") or {}
            told = {"cause": "trial", "b": 1.81234, "v": 0.004**2, "round": 1}
            store.insert("books", {k: v for k, v in (row | told).items() if k != "id"})
    return found


@pytest.fixture
def store(home):
    with closing(Store(home / "council.db", read_only=True)) as found:
        yield found


def test_the_book_says_what_is_believed_and_no_gain(store):
    book = status.read(store).booked
    assert book is not None and book.is_baseline and book.gain is book.sigmas is None
    assert (book.best, book.best_sd) == (book.baseline, book.baseline_sd) == (1.81234, pytest.approx(0.004))
    assert book.baseline_runs == pytest.approx(1.8, abs=0.01) != book.best


def test_terminal_report_and_pages_say_the_same_number(home, store):
    found, seen = night.read(store), watch.read(store)
    with contextmanager(serve)(home) as served:
        page = ask(served, "/")[2]
    html = report.html(found)
    faces = {
        "status": " ".join(terminal.lines(found.status)),
        "live": "\n".join(line.plain for line in board.block(seen, {}, 80, 20, 0.0)),
        "summary": " ".join(night.summary(found)),
        "markdown": markdown.report(found),
        "report": html,
        "page": page,
    }
    runs = bpb(found.status.booked.baseline_runs)
    for name, text in faces.items():
        plain = re.sub(r"\s+", " ", unescape(re.sub(r"<svg.*?</svg>|<[^>]+>", "", text, flags=re.DOTALL)))
        assert "1.81234 ± 0.00400" in plain, name
        assert runs not in plain and "-0.0" not in plain and "−0.0" not in plain, name
    assert "Below the baseline– it is the baseline" in re.sub(r"<[^>]+>", "", html)
    assert "still the baseline, booked at " + SAID in faces["status"] and "still the baseline" in page


def test_sessions_beside_each_other_say_it_too(home):
    subprocess.run(["git", "init", "-q", str(home.parent)], check=True)
    told = CliRunner().invoke(cli, ["-C", str(home.parent), "compare", "first", "other"]).stdout
    assert re.search(r"baseline booked +1.81234 +1.81234\s+best booked +1.81234 +1.81234", told)


def test_the_list_of_sessions_says_it_too(home, store):
    for line in compare.every(store):
        assert line.best == line.baseline == 1.81234 and line.gain is line.sigmas is None
    with contextmanager(serve)(home) as served:
        assert "−0.0" not in ask(served, "/sessions")[2]
