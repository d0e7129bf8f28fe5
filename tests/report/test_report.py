"""The report of a night: complete, small, offline, inert; in every format; and never a session's end."""

from __future__ import annotations

import json
import re
import subprocess
import unicodedata
from contextlib import closing
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from council.cli import cli
from council.store import Store
from council.ui import charts, markdown, report, svg
from council.views import night, staircase
from tests.report.nights import HOSTILE, write

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """What a browser would find: elements, attributes, text, and whether elements close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def nights(tmp_path_factory) -> dict[str, night.Night]:
    """A plain, a hostile, an empty and a long night."""
    found = {}
    folder = tmp_path_factory.mktemp("nights")
    for name, options in {"plain": {}, "hostile": {"hostile": True}, "empty": {"rounds": 0}}.items():
        with closing(Store(write(folder / f"{name}.db", **options), read_only=True)) as store:
            found[name] = night.read(store)
    return found


@pytest.fixture(scope="module")
def pages(nights) -> dict[str, str]:
    """The same as HTML."""
    return {name: report.html(found, 0.0) for name, found in nights.items()}


def acts(character: str) -> bool:
    """Whether a character does anything but be seen."""
    return character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")


@pytest.mark.parametrize(
    "heading",
    [
        "What happened",
        "Staircase",
        "Kept edits",
        "Leaderboard",
        "What failed and why",
        "Cost and time",
        "How to repeat it",
    ],
)
def test_the_report_tells_a_night_in_this_order(pages, heading):
    heads = re.findall(r"<h2[^>]*>([^<]+)", pages["plain"])
    assert heading in heads and heads.index(heading) == [
        *("What happened", "Staircase", "Kept edits", "Leaderboard"),
        *("What failed and why", "Cost and time", "How to repeat it"),
    ].index(heading)


def test_three_sentences_come_from_the_data(nights):
    said = night.summary(nights["plain"])
    assert len(said) == 3
    assert said[0].startswith(
        "In 30 rounds over 3 h 45 min, 5 members made 147 proposals and 32 experiments ran: 7 kept"
    )
    assert "booked at 1.78344 ± 0.00617 BPB, 0.01741 BPB (2.2 σ) below" in said[1] and "unconfirmed" in said[1]
    assert "240 calls cost $5.32" in said[2]


def test_every_kept_edit_stands_with_its_diff_and_its_replicates(nights, pages):
    edits = nights["plain"].edits
    assert len(edits) == 7 and pages["plain"].count("<article id=") == 7
    assert any(edit.again for edit in edits) and "Same code again: x18 1.78542." in pages["plain"]
    assert pages["plain"].count('<span class="add">+    warmup = 0.02</span>') == 7


def test_failures_are_told_with_their_reason_and_log(pages):
    assert "Round 6, x8, crash" in pages["plain"] and "CUDA out of memory" in pages["plain"]
    assert "Traceback: NameError" in pages["plain"]
    assert "8 × the SEARCH text of block 1 occurs 0 times" in pages["plain"]


def test_the_report_needs_nothing_from_outside(pages):
    for text in pages.values():
        found = Page(text)
        assert not {"script", "link", "iframe", "object", "img", "form", "base"} & set(found.tags)
        assert [v for k, v in found.attributes if k in ("href", "xlink:href", "src", "action") and v[:1] != "#"] == []
        assert "default-src 'none'" in text and found.open == []


def test_a_hostile_night_is_inert_on_paper(pages):
    found = Page(pages["hostile"])
    assert [k for k, _ in found.attributes if k.startswith("on")] == []
    assert "<script>fetch(" in "".join(found.text), "the attack is shown as text"
    assert [c for c in pages["hostile"] if acts(c)] == []
    assert Page(pages["plain"]).tags.count("a") == found.tags.count("a") or "evil" not in str(found.attributes)


def test_a_long_hostile_night_stays_small(tmp_path):
    with closing(Store(write(tmp_path / "c.db", rounds=100, hostile=True), read_only=True)) as store:
        assert len(report.html(night.read(store)).encode()) < 3_000_000


@pytest.mark.parametrize("line", ["+" + "<" * 300, "+" + "\u202e" * 300, "+    x = 1  # and so on" + " so on" * 40])
def test_a_hundred_long_diffs_stay_small_and_what_is_left_out_says_how_to_see_it(nights, line):
    one = nights["plain"].edits[0]
    edits = tuple(
        replace(
            one, kept=replace(one.kept, number=n, round=n, standing=n < 50), diff=f"{line}\n" * 160, hypothesis=line * 9
        )
        for n in range(1, 101)
    )
    text = report.html(replace(nights["plain"], edits=edits))
    assert len(text.encode()) < 3_000_000
    whole = text.count("<summary>Diff</summary>")
    assert 0 < whole < 100 and text.count("council show") == 100 - whole
    assert "council show 100 --session 2026-11-20 --diff" in text and "council show 49 " not in text


def test_links_of_the_chart_lead_to_edits_that_are_there(pages):
    found = Page(pages["plain"])
    ids = {value for name, value in found.attributes if name == "id"}
    links = {value for name, value in found.attributes if name == "href"}
    assert links and {link[1:] for link in links} <= ids


def test_an_empty_session_has_a_report(pages):
    assert "No edit was kept." in pages["empty"] and "Nothing failed." in pages["empty"]


def test_markdown_makes_nothing_of_foreign_text(nights):
    text = markdown.report(nights["hostile"])
    outside = re.sub(r"(?ms)^(`{3,})diff$.*?^\1$", "", text)
    assert re.sub(r"\\.", "", outside).count("<") == outside.count("<details>") * 4, "only our own elements"
    assert not re.search(r"https?://", outside) and [c for c in text if acts(c) and c != "\u2060"] == []


@pytest.mark.parametrize(
    "text", ["# head", "- item", "[a](http://x)", "a | b", "@team", "<b>", "`x`", "1. one", "www.x.y"]
)
def test_markdown_is_escaped(text):
    shown = markdown.escape(text)
    assert shown != text and re.sub("[\\\\\u2060]", "", shown) == text


def test_a_fence_is_longer_than_any_in_the_code():
    assert markdown.fence(["```", "````x"])[0] == "`````"


def test_the_staircase_shows_every_run_and_booking(nights):
    text = charts.staircase(nights["plain"].staircase, lambda number: f"/r/{number}")
    root = ElementTree.fromstring(text)
    runs = nights["plain"].staircase.runs
    assert len(root.findall(".//{*}title")) == len(runs) == len(root.findall(".//{*}a"))
    assert root.get("aria-label") == "Booked best by experiment" and "var(--chart-keep" in text


def test_a_chart_of_a_hostile_night_is_inert(nights):
    text = charts.staircase(nights["hostile"].staircase, lambda number: f"/r/{number}")
    tags = {element.tag.split("}")[1] for element in ElementTree.fromstring(text).iter()}
    assert tags <= {"svg", "g", "path", "line", "text", "rect", "a", "title", "defs", "clipPath"}
    assert "<script" not in text and [c for c in text if acts(c)] == []


def test_a_chart_alone_brings_its_colours(nights):
    text = svg.alone(charts.staircase(nights["plain"].staircase))
    assert ElementTree.fromstring(text) is not None and "prefers-color-scheme:dark" in text


def test_a_session_without_a_measurement_has_a_staircase(tmp_path):
    store = Store(tmp_path / "c.db")
    store.insert("sessions", {"name": "x", "at": 1.0, "seed": "s", "commit": "c" * 40, "config": {}, "program": "p",
                              "versions": {}})  # fmt: skip
    assert staircase.read(store).runs == ()
    assert "<svg" in charts.staircase(staircase.read(store)) and report.html(night.read(store))
    store.close()


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A repository with a night."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".council").mkdir()
    write(tmp_path / ".council" / "council.db", rounds=5)
    return tmp_path


def test_a_session_writes_its_report_at_a_stop(lab):
    with closing(Store(lab / ".council" / "council.db", read_only=True)) as store:
        path = report.write_report(store, "2026-11-20", lab / "reports")
        assert path == lab / "reports" / "2026-11-20.html" and path.read_text().startswith("<!DOCTYPE html>")
        assert list((lab / "reports").iterdir()) == [path]
        (lab / "file").write_text("")
        assert report.write_report(store, "2026-11-20", lab / "file") is None, "a full disk never ends a session"
        assert report.write_report(store, "none such", lab) is None


@pytest.mark.parametrize(
    ("name", "file"), [("../../etc/x", "______etc_x.html"), ("2026-11-20", "2026-11-20.html"), ("", "session.html")]
)
def test_no_session_names_a_file_elsewhere(name, file):
    assert report.file_name(name) == file


@pytest.mark.parametrize(
    ("ending", "start"),
    [("html", b"<!DOCTYPE html>"), ("md", b"# Council"), ("svg", b"<?xml"), ("png", b"\x89PNG"), ("json", b"{")],
)
def test_the_format_follows_the_name_of_the_file(lab, ending, start):
    done = CliRunner().invoke(cli, ["-C", str(lab), "report", "-o", f"out.{ending}"])
    assert done.exit_code == 0 and (lab / f"out.{ending}").read_bytes().startswith(start), done.output


def test_the_report_goes_to_stdout_on_request(lab):
    done = CliRunner().invoke(cli, ["-C", str(lab), "report", "--format", "json", "-o", "-"])
    assert set(json.loads(done.stdout)) >= {"sentences", "status", "staircase", "kept", "costs", "repeat"}


def test_what_cannot_be_written_is_said(lab):
    done = CliRunner().invoke(cli, ["-C", str(lab), "report", "-o", "none/such/../\0x"])
    assert done.exit_code != 0
    assert HOSTILE not in done.output


def test_a_folder_that_is_not_there_is_not_made(lab):
    done = CliRunner().invoke(cli, ["-C", str(lab), "report", "-o", "nope/x.html"])
    assert done.exit_code == 2 and f"there is no folder {lab / 'nope'}" in done.stderr
    assert not (lab / "nope").exists()


@pytest.mark.parametrize(("n", "of", "said"), [(1, 1, "the only"), (3, 3, "all 3"), (2, 5, "2 of the 5")])
def test_a_share_is_said_as_people_say_it(n, of, said):
    assert night._share(n, of) == said
