"""Pictures of the pages and of the report, for the README: `python -m council.web.screenshots NIGHT FOLDER`.

NIGHT is a lab, whose last session is taken, or a file that `council export` wrote. It is served on a free port, and a
headless Chromium of this machine takes the pictures; no other library is needed. How to extend: a picture is a line in
SHOTS.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import click

from council import loading
from council.errors import CouncilError, UsageError
from council.web.server import listen, server

SHOTS = {
    "overview": ("/", 1280, 1180),
    "round": ("/round/best", 1280, 1500),
    "members": ("/members", 1280, 620),
}
"""File name, with its page and the size of the picture."""

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def browser() -> str:
    """The Chromium of this machine. Raises ClickException when there is none."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise click.ClickException("no Chromium found; install one: apt install chromium")
    return found


def take(address: str, file: Path, width: int, height: int) -> None:
    """One picture of an address."""
    with tempfile.TemporaryDirectory() as profile:
        size = f"--window-size={width},{height}"
        command = [browser(), *FLAGS, f"--user-data-dir={profile}", size, f"--screenshot={file.resolve()}", address]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    click.echo(f"wrote {file}")


def main(night: Path, folder: Path) -> None:
    """All pictures of a lab's last session, or of an exported one."""
    if night.is_file():
        with tempfile.TemporaryDirectory() as home:
            loading.load(night, Path(home) / "council.db")
            _pictures(Path(home), folder)
    elif (night / ".council" / "council.db").is_file():
        _pictures(night / ".council", folder)
    else:
        raise UsageError(
            f"there is no session in {night.absolute()}",
            hint="Name a lab in which one has run, or a file that `council export` has written.",
        )


def _pictures(home: Path, folder: Path) -> None:
    from council.store import Store
    from council.ui.report import write_report
    from council.views.status import newest

    folder.mkdir(parents=True, exist_ok=True)
    socket, made = listen("127.0.0.1", 0), server(home)
    thread = threading.Thread(target=made.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    for name, (path, width, height) in SHOTS.items():
        take(f"http://127.0.0.1:{socket.getsockname()[1]}{path}", folder / f"{name}.png", width, height)
    made.should_exit = True
    thread.join(10)
    store = Store(home / "council.db", read_only=True)
    try:
        with tempfile.TemporaryDirectory() as elsewhere:
            report = write_report(store, newest(store), Path(elsewhere))
            assert report is not None, "the report could not be written"
            take(report.as_uri(), folder / "report.png", 1100, 1400)
    finally:
        store.close()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except CouncilError as error:
        sys.exit(f"error: {error}")
