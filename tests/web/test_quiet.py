"""Nothing that a request says reaches the terminal of whoever serves."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from council.web.quiet import Inert
from tests.web.conftest import lab, write

ACTS = "\033]0;owned\007\033[31mRED\nNEXT"
SQL = f"select * from `{ACTS}`"
ASKED = (
    *(f"/council{kind}?sql={quote(SQL)}" for kind in ("", ".json", ".csv")),
    f"/_memory?sql={quote(SQL)}",
    f"/council?sql={quote(f'select convert_units(1, `{ACTS}`)')}",
    "/council?sql=select+escape_fts(x'ff')",
    "/council?sql=select+escape_fts(1)",
    *(f"/council/proposals?{name}={quote(ACTS)}" for name in ("_sort", "_facet", "_where", "_next", "_col", "_search")),
    f"/council/proposals?_facet_array={quote(ACTS)}",
    f"/council/proposals?{quote(ACTS)}__gt=1",
    f"/council/{quote(ACTS)}",
    f"/{quote(ACTS)}",
    f"/?session={quote(ACTS)}",
    f"/search?q={quote(ACTS)}",
    "/%00",
    "/\xff",
)
HEADERS = (b"X-A: \x1b]0;owned\x07", b"Cookie: \xff=\x1b[31m", b"Content-Length: \x1b[31m")


@contextmanager
def serving(folder: Path):
    """The command line's own server: its port, its process, what it has printed once it has ended."""
    write(lab(folder) / "council.db", rounds=2)
    (folder / ".git").mkdir()
    command = [str(Path(sys.executable).with_name("council")), "-C", str(folder), "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield urlsplit(process.stdout.readline().split()[0].decode()).port, process
        finally:
            process.terminate()


def sent(port: int, *lines: bytes) -> bytes:
    """The answer to a request given in bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as made:
        made.sendall(b"\r\n".join([*lines, b"Connection: close", b"", b""]))
        return b"".join(iter(lambda: made.recv(65536), b""))


@pytest.mark.skipif(os.name == "nt", reason="needs terminate()")
def test_no_request_prints_anything(tmp_path):
    with serving(tmp_path) as (port, process):
        for path in ASKED:
            assert sent(port, f"GET {path} HTTP/1.1".encode("latin-1"), b"Host: 127.0.0.1").startswith(b"HTTP/1.1 ")
        for header in HEADERS:
            sent(port, b"GET / HTTP/1.1", b"Host: 127.0.0.1", header)
        sent(port, b"GET \x1b[31m HTTP/9", b"Host: 127.0.0.1")
        process.terminate()
        assert process.communicate(timeout=20)[1] == b""


def test_a_failure_that_no_page_caught_is_told_in_words(tmp_path):
    with serving(tmp_path) as (port, _):
        answer = sent(port, b"GET / HTTP/1.1", b"Host: 127.0.0.1", b"Cookie: \xff=1")
    assert answer.startswith(b"HTTP/1.1 500") and b"content-security-policy" in answer
    assert b"The page failed: UnicodeDecodeError" in answer and b"Traceback" not in answer


def test_what_a_library_prints_after_all_cannot_act():
    under = io.StringIO()
    print(f"ERROR: {ACTS}", file=Inert(under), flush=True)
    assert under.getvalue() == "ERROR: <U+001B>]0;owned<U+0007><U+001B>[31mRED\nNEXT\n"


def test_what_the_server_prints_passes_that_stream(tmp_path, monkeypatch):
    from council.web import server

    class Loud:
        def run(self, sockets):
            print("\033[31m", file=sys.stderr)
            sockets[0].close()

    under = io.StringIO()
    monkeypatch.setattr(sys, "stderr", under)
    monkeypatch.setattr(server, "server", lambda home, host: Loud())
    server.serve(lab(tmp_path), "127.0.0.1", 0, lambda address: None)
    assert under.getvalue() == "<U+001B>[31m\n"
