"""The live block fits every terminal and says what the views say; each round is told once; nobody is harmed."""

from __future__ import annotations

import io
import time
import unicodedata
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from council import ui
from council.events import Event
from council.store import Store
from council.ui.board import block, round_line
from council.ui.livedisplay import Display, following
from council.views import leaderboard, round, watch
from tests.report.nights import START, play, write

STATE = {
    "last": {"kind": "step", "text": "x9 trial: \x1b[2Jgo", "round": 30, "step": "run", "at": START},
    "progress": {"data": {"phase": "train", "seconds": 41.0, "step": 90, "loss": 2.5, "progress": 0.5}, "at": START},
}


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "hostile"])
def store(tmp_path_factory, request):
    """A night of 20 rounds, open."""
    path = write(tmp_path_factory.mktemp("night") / "c.db", rounds=20, hostile=request.param)
    with closing(Store(path, read_only=True)) as found:
        yield found


def shown(found, columns=100, rows=30, state=None) -> list[str]:
    return [line.plain for line in block(found, STATE if state is None else state, columns, rows, START + 2)]


@pytest.mark.parametrize("columns", [20, 40, 50, 79, 120])
@pytest.mark.parametrize("rows", [1, 3, 6, 15, 40])
def test_the_block_never_exceeds_the_screen(store, columns, rows):
    lines = block(watch.read(store), STATE, columns, rows, START)
    assert len(lines) <= rows and all(line.cell_len <= columns for line in lines)


def test_nothing_in_the_block_acts_on_the_terminal(store):
    text = "\n".join([*shown(watch.read(store)), *(round_line(round.read(store, n)).plain for n in range(21))])
    assert [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf")] == []


def test_the_block_tells_the_best_its_noise_and_the_gain_in_bpb_and_sigma(store):
    found = watch.read(store)
    book = found.status.booked
    line = shown(found)[1]
    assert book and f"{book.best:.5f} ± {book.best_sd:.5f} BPB" in line
    assert f"Δ {book.gain:+.5f} ({book.gain / book.sigma:+.1f} σ) unconfirmed" in line


def test_the_staircase_has_a_bar_and_a_sign_per_experiment(store):
    found = watch.read(store)
    bars, signs = shown(found)[2:4]
    assert len(bars) == len(signs) == len(found.staircase.runs)
    assert signs.count("●") == found.status.verdicts["keep"] and signs.count("×") == found.status.verdicts["crash"]


def test_a_training_shows_live_seconds_and_loss(store):
    found = watch.read(store)
    running = replace(found.status, running=watch.status.Running(9, 20, "trial", "wide", "opus", START))
    lines = shown(replace(found, status=running))
    assert "x9 trial wide" in lines and "   train, 43 s, step 90, loss 2.500  ━━━━━━────── 50%" in lines


def test_every_member_has_a_row_and_those_without_room_are_counted(store):
    found = watch.read(store)
    assert sum(any(seat.name[:6] in line for line in shown(found)) for seat in found.seats) == 6
    assert shown(found, rows=7)[-1].strip() == "… 5 more"


def test_a_member_that_failed_shows_why(store):
    assert next(s for s in watch.read(store).seats if s.name == "grok").state == "absent"
    with_timeout = watch._states(store, 1, 16)
    assert with_timeout["gpt"] == "timeout" and with_timeout["opus"] == "proposed"


@pytest.mark.parametrize(
    ("step", "attempt", "state"),
    [("propose", 1, "voted"), ("repair", 1, "voted"), ("debate", 2, "voted"), ("rank", 1, "timeout"),
     ("late_repair", 1, "timeout")],
)  # fmt: skip
def test_what_a_member_did_last_counts_and_not_that_it_failed_before(tmp_path, step, attempt, state):
    path = write(tmp_path / "c.db", rounds=2)
    with closing(Store(path)) as store:
        assert watch._states(store, 1, 2)["opus"] == "voted"
        missed = {"session": 1, "round": 2, "step": step, "member": "opus", "attempt": attempt}
        store.insert("outcomes", {**missed, "at": START, "kind": "timeout", "detail": ""})
        assert watch._states(store, 1, 2)["opus"] == state


def test_an_author_who_mended_a_crash_has_repaired(tmp_path):
    path = write(tmp_path / "c.db", rounds=1)
    with closing(Store(path)) as store:
        assert watch._states(store, 1, 1)["gemini"] == "voted"
        old = store.one("proposals", member="gemini", step="repair")
        assert old
        late = {k: v for k, v in old.items() if k != "id"} | {"step": "late_repair", "replaces": old["id"]}
        store.insert("proposals", late)
        assert watch._states(store, 1, 1)["gemini"] == "repaired"


def test_a_skill_without_anybody_to_compare_with_is_not_shown_as_certain(store):
    found = leaderboard.read(store)
    alone = replace(found.members[0], skill=0.0, skill_low=0.0, skill_high=0.0)
    seat = watch._seats((alone, found.members[1]), {"": "waiting"})[0]
    line = next(x for x in shown(replace(watch.read(store), seats=(seat,))) if "skill" in x)
    assert "skill –" in line and "±" not in line


def test_before_the_session_opens_the_block_is_one_line():
    assert shown(None, state={}) == ["waiting for the session to say something"]


class Fed:
    """A display that writes to a stream, and the night it is told of."""

    def __init__(self, folder: Path, stream) -> None:
        self.path = write(folder / "c.db", rounds=3, ended=False)
        self.display = Display(self.path, stream)

    def play(self, number: int) -> None:
        from tests.report import nights

        with closing(Store(self.path)) as store, store.atomic():
            base = store.one("sessions")["commit"]
            last = store.one("experiments", order="number DESC")["number"]
            night = nights.Writer(store, nights.random.Random(number), 1, base, tuple(nights.MODELS), number=last)
            night.book = nights.books.start(base, [1.8, 1.8], night.sigma**2)
            play(night, number)
        self.display.show(Event("step", f"round {number} done", number, "settle"))


def until(true, seconds=10.0):
    """Wait for another thread."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    assert true()


def test_each_finished_round_is_printed_once_and_for_good(tmp_path, monkeypatch):
    monkeypatch.setattr("council.ui.livedisplay.SECONDS", 0.02)
    out = io.StringIO()
    fed = Fed(tmp_path, out)
    fed.display.show(Event("session", "starts", data={"session": "2026-11-20"}))
    until(lambda: fed.display.watch)
    for number in (4, 5, 6):
        fed.play(number)
    fed.display.show(Event("warning", "stopping \x1b[2J"))
    fed.display.show(Event("end", "done"))
    lines = out.getvalue().splitlines()
    assert [int(line.split()[1]) for line in lines if "stopping" not in line] == [4, 5, 6]
    assert sum("stopping ␛[2J" in line for line in lines) == 1 and "\x1b" not in out.getvalue()


def test_a_look_that_stumbles_does_not_end_the_display(tmp_path, monkeypatch):
    monkeypatch.setattr("council.ui.livedisplay.SECONDS", 0.02)
    stumbles, read = iter([True]), watch.read

    def once(*what):
        if next(stumbles, False):
            raise KeyError(22)
        return read(*what)

    monkeypatch.setattr("council.ui.livedisplay.watch.read", once)
    fed = Fed(tmp_path, io.StringIO())
    fed.display.show(Event("session", "starts", data={"session": "2026-11-20"}))
    fed.play(4)
    until(lambda: fed.display.watch)
    fed.display.show(Event("end", "done"))


def test_a_second_terminal_is_told_of_the_last_rounds(tmp_path):
    path = write(tmp_path / "c.db", rounds=20)
    out = io.StringIO()
    with following(Display(path, out), "2026-11-20"):
        pass
    assert len(out.getvalue().splitlines()) == 8 and path.stat().st_size


def test_no_color_leaves_text_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("NO_COLOR", "1")
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    with closing(Store(write(tmp_path / "c.db", rounds=3), read_only=True)) as store:
        console.print(round_line(round.read(store, 1)))
    assert not any(f"\x1b[{code}m" in out.getvalue() for code in (31, 32, 33, 34, 35, 36))


class Gone(io.StringIO):
    """A terminal that has been closed."""

    def write(self, text):
        raise OSError("gone")


@pytest.mark.parametrize("database", [None, "none.db"])
def test_a_display_that_cannot_draw_or_read_never_disturbs_the_session(tmp_path, database):
    display = Display(tmp_path / database if database else None, Gone())
    for event in (Event("session", "s", data={"session": "x"}), Event("progress", ""), Event("warning", "w")):
        display.show(event)
    display.show(Event("end", "done"))


def test_a_change_of_size_draws_the_rounds_again(tmp_path, monkeypatch):
    monkeypatch.setattr("council.ui.livedisplay.SECONDS", 0.02)

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    out = Terminal()
    fed = Fed(tmp_path, out)
    fed.display.tail = 3
    fed.display.show(Event("session", "starts", data={"session": "2026-11-20"}))
    until(lambda: fed.display.told == 2)
    fed.display.console.width = 50
    until(lambda: "\x1b[2J" in out.getvalue())
    fed.display.close()
    after = out.getvalue().split("\x1b[2J")
    assert len(after) == 2 and all(f" {n}  " in after[1] for n in (1, 2))


def test_the_default_display_is_live_only_where_somebody_watches(monkeypatch):
    assert ui.default() == "plain"

    class Watched(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stderr", Watched())
    monkeypatch.setenv("TERM", "xterm")
    assert ui.default() == "live"
    monkeypatch.setenv("TERM", "dumb")
    assert ui.default() == "plain"


def test_a_narrow_terminal_shows_how_far_a_training_is(store):
    found = watch.read(store)
    running = replace(found.status, running=watch.status.Running(9, 20, "trial", "wide", "opus", START))
    assert "   train, 43 s, loss 2.500   50%" in shown(replace(found, status=running), columns=39)
