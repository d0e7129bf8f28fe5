"""A lab with nights behind a real server on a free port, and a real browser where there is one."""

from __future__ import annotations

import http.client
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.report.nights import write

DESK = {"width": 1280, "height": 900}
LOCAL = ("http://127.0.0.1:", "data:", "file://", "about:")
CHROMIUM = next((p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))), None)


@dataclass
class Served:
    """A running server; `home` is the `.council` it reads."""

    home: Path
    url: str


def serve(home: Path) -> Iterator[Served]:
    """A server over `home` for the length of a block."""
    from council.web.server import listen, server

    socket, made = listen("127.0.0.1", 0), server(home)
    thread = threading.Thread(target=made.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    yield Served(home, f"http://127.0.0.1:{socket.getsockname()[1]}")
    made.should_exit = True
    thread.join(10)


def ask(served: Served, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
    """(status, headers, body) over a real connection."""
    where = urlsplit(served.url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=20)
    connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    body = answer.read().decode("utf-8")
    found = {k.lower(): v for k, v in answer.getheaders()}
    connection.close()
    return answer.status, found, body


def lab(folder: Path) -> Path:
    """`.council` in an empty folder."""
    (folder / ".council").mkdir(parents=True)
    return folder / ".council"


@pytest.fixture(scope="session")
def plain(tmp_path_factory) -> Iterator[Served]:
    """Two nights, the last one of 60 rounds."""
    home = lab(tmp_path_factory.mktemp("plain"))
    write(home / "council.db", rounds=8, name="first", seed=3)
    write(home / "council.db", rounds=60, name="2026-11-20")
    yield from serve(home)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory) -> Iterator[Served]:
    """A night whose members attack the reader."""
    home = lab(tmp_path_factory.mktemp("hostile"))
    write(home / "council.db", rounds=20, hostile=True)
    yield from serve(home)


@pytest.fixture
def blank(tmp_path) -> Iterator[Served]:
    """A lab in which nothing has run."""
    yield from serve(lab(tmp_path))


@dataclass
class Seen:
    """What a browser page did: errors on its console, requests that left the machine, dialogs."""

    errors: list[str] = field(default_factory=list)
    away: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium; skips where Playwright or a browser is missing."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as found:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
        made = found.chromium.launch(executable_path=CHROMIUM, headless=True, args=flags)
        yield made
        made.close()


@pytest.fixture(scope="module")
def tab(browser):
    """One page of the browser for all tests: opening one costs more than using it."""
    made, seen = browser.new_page(viewport=DESK), Seen()
    made.on("console", lambda m: seen.errors.append(m.text) if m.type in ("error", "warning") else None)
    made.on("pageerror", lambda error: seen.errors.append(str(error)))
    made.on("dialog", lambda d: (seen.dialogs.append(d.message), d.dismiss()))
    made.on("request", lambda r: None if r.url.startswith(LOCAL) else seen.away.append(r.url))
    return made, seen


@pytest.fixture
def page(tab):
    """A page of which is checked at the end: nothing on the console, nothing away, no dialog."""
    made, seen = tab
    made.set_viewport_size(DESK)
    made.emulate_media(color_scheme="light", media="screen")
    yield made
    made.goto("about:blank")
    told = (list(seen.errors), list(seen.away), list(seen.dialogs))
    for found in (seen.errors, seen.away, seen.dialogs):
        found.clear()
    assert told == ([], [], [])
