"""Half of an audit in a process of its own, while the other half goes on here.

The process is started anew and not forked, since a connection of SQLite does not outlive a fork, and it finds modules
where this one does: never in the folder it happens to stand in. What it does not bring to an end is done here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from council.audit import texts
from council.audit.findings import Findings
from council.repo import Repo
from council.store import Store

SMALL = 20_000_000
"""Bytes of a database below which a process would take longer to start than to be of use."""
CODE = "import json, sys; sys.path[:] = json.loads(sys.argv[3]); from council.audit.aside import main; main()"


@contextmanager
def begun(store: Store, repo: Repo) -> Iterator[Callable[[Findings], None]]:
    """Begin to check the texts; what is given waits for the end and adds what was found."""
    process = None
    with suppress(OSError):
        if store.path.stat().st_size >= SMALL:
            asked = [str(store.path), str(repo.root), json.dumps(sys.path)]
            command = [sys.executable, "-I", "-c", CODE, *asked]
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )

    def end(found: Findings) -> None:
        if process is not None:
            said = process.communicate()[0]
            with suppress(ValueError):
                if process.returncode == 0:
                    found.take(json.loads(said))
                    return
        texts.check(store, repo, found)

    try:
        yield end
    finally:
        if process is not None:
            with process:
                process.kill()


def main() -> None:
    """Check the texts of the database and the repository that the command names; print the findings as JSON."""
    found = Findings()
    with closing(Store(Path(sys.argv[1]), read_only=True)) as store, store.atomic():
        texts.check(store, Repo.open(Path(sys.argv[2])), found)
    sys.stdout.write(json.dumps(found.told()))
