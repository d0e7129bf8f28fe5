"""The faces of a running session: plain lines, JSON lines, the live file."""

from __future__ import annotations

import io
import json
import os

import pytest

from council import live
from council.events import Event, silent
from council.ui import DISPLAYS, face, text
from council.ui.jsonlines import json_lines, line
from council.ui.leaderboard import cell
from council.ui.plain import from_live, plain


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    """A stream whose reader has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def isatty(self) -> bool:
        return True


STEP = Event("step", "alpha proposes: \x1b[2Jhide\nme", round=1, step="propose")
PROGRESS = Event("progress", "", round=1, step="run", data={"phase": "train", "seconds": 7.2, "step": 90, "loss": 2.5})


def test_a_step_is_one_inert_line_with_its_step():
    out = io.StringIO()
    plain(out)(STEP)
    assert out.getvalue().endswith("   propose: alpha proposes: ␛[2Jhide ⏎ me\n") and out.getvalue().count("\n") == 1


def test_progress_is_rare_where_nobody_watches(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("council.ui.plain.time.monotonic", lambda: clock[0])
    out = io.StringIO()
    show = plain(out)
    for _ in range(60):
        clock[0] += 1.0
        show(PROGRESS)
    assert out.getvalue().count("\n") == 4 and "train, 7 s, step 90, loss 2.500" in out.getvalue()


def test_progress_rewrites_one_line_on_a_terminal(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("council.ui.plain.time.monotonic", lambda: clock[0])
    out = Terminal()
    show = plain(out)
    for _ in range(10):
        clock[0] += 1.0
        show(PROGRESS)
    assert "\n" not in out.getvalue() and out.getvalue().count("\rtrain") == 0 and out.getvalue().count("\r") == 10
    show(STEP)
    assert out.getvalue().count("\n") == 1


@pytest.mark.parametrize("make", [plain, json_lines])
def test_a_terminal_that_goes_away_never_disturbs_the_session(make):
    show = make(Gone())
    show(STEP)
    show(PROGRESS)


def test_colour_is_off_with_no_color_and_off_a_terminal(monkeypatch):
    assert text.colourful(Terminal()) and not text.colourful(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not text.colourful(Terminal())


def test_json_lines_are_one_object_per_event():
    out = io.StringIO()
    show = json_lines(out)
    show(STEP)
    show(PROGRESS)
    first, second = (json.loads(x) for x in out.getvalue().splitlines())
    assert (first["kind"], first["step"], first["round"]) == ("step", "propose", 1) and second["data"]["loss"] == 2.5


def test_json_never_holds_what_parsers_refuse():
    assert json.loads(line({"a": float("nan"), "b": [float("inf"), "\x7f\u202e"]})) == {
        "a": None,
        "b": [None, "\x7f\u202e"],
    }
    assert line("\x7f\u202e").isprintable()


@pytest.mark.parametrize("name", DISPLAYS)
def test_every_display_is_a_face(name):
    assert callable(face(name))


def test_the_live_file_tells_the_last_step_and_its_progress_and_goes_away(tmp_path):
    path = tmp_path / "live.json"
    seen: list[Event] = []
    with live.live(path, seen.append) as show:
        show(STEP)
        assert (live.read(path) or {})["last"]["text"] == STEP.text
        show(PROGRESS)
        assert "progress" not in (live.read(path) or {}), "progress is written at most once a second"
        found = live.read(path) or {}
        assert found["pid"] == os.getpid()
    assert not path.exists() and seen == [STEP, PROGRESS] and list(tmp_path.iterdir()) == []


def test_status_tells_the_running_step_from_the_live_file():
    last = {"text": "alpha\x1b proposes", "round": 3, "step": "propose"}
    told = from_live({"last": last, "progress": {"data": {"phase": "train", "seconds": 4}}})
    assert told == "round 3, propose: alpha␛ proposes (train, 4 s)"
    assert from_live({"last": {"text": "stopping after the experiment"}}) == "stopping after the experiment"


def test_the_live_file_is_removed_when_the_session_breaks(tmp_path):
    path = tmp_path / "live.json"
    with pytest.raises(RuntimeError), live.live(path, silent) as show:
        show(STEP)
        raise RuntimeError
    assert not path.exists()


def test_a_disk_that_refuses_the_live_file_never_disturbs_the_session(tmp_path):
    with live.live(tmp_path / "missing" / "live.json", silent) as show:
        show(STEP)


@pytest.mark.parametrize("content", ["", "{", "[1]", "\xff"])
def test_a_broken_live_file_is_no_live_file(tmp_path, content):
    path = tmp_path / "live.json"
    path.write_bytes(content.encode("latin-1"))
    assert live.read(path) is None


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "\n=1", "|x"])
def test_no_cell_starts_a_formula(value):
    assert not str(cell(value)).startswith(("=", "+", "-", "@", "\t", "\r", " ", "|"))


def test_wide_characters_are_padded_by_cells():
    assert text.pad("日本", 6) == "日本  " and text.fit("日本語", 4) == "日…" and text.cells("e\u0301") == 1


def test_a_table_gives_way_in_its_flexible_column(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    shown = text.table(("a", "title"), [("x", "word " * 30)], flex=1)
    assert all(len(x) <= 40 for x in shown) and shown[1].endswith("…")
