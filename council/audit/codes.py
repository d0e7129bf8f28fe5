"""Fingerprints of the code that ran, taken in a process of their own while rows are read here.

Why: parsing every version of train.py is a third of the work of auditing a long night, and nothing else waits for it.
A text that the other process did not get to, for whatever reason, is parsed here, so that its error is told there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress

from council.audit import history
from council.errors import CouncilError
from council.repo import Repo
from council.running import code_of
from council.store import Store
from council.types import TRAIN_PY

FEW = 100
"""So many texts are parsed before a process has started."""
BATCH = 50


class Codes:
    """Fingerprints by text, each taken once."""

    def __init__(self) -> None:
        self._known: dict[bytes, str] = {}
        self._coming: dict[bytes, Future[dict[bytes, str]]] = {}

    def of(self, data: bytes) -> str:
        """The fingerprint of a text. Raises ValueError if it is none of Python's."""
        if (coming := self._coming.get(data)) is not None and data not in self._known:
            with suppress(BrokenProcessPool):
                self._known |= coming.result()
        if data not in self._known:
            self._known[data] = code_of(data.decode())
        return self._known[data]

    def ask(self, pool: ProcessPoolExecutor, texts: Sequence[bytes]) -> None:
        """Let another process take the fingerprints of these texts."""
        future = pool.submit(_taken, texts)
        self._coming |= dict.fromkeys(texts, future)


def _taken(texts: Sequence[bytes]) -> dict[bytes, str]:
    found = {}
    for data in texts:
        with suppress(Exception):  # it is parsed once more where its error is a finding
            found[data] = code_of(data.decode())
    return found


@contextmanager
def beside(store: Store, repo: Repo) -> Iterator[Codes]:
    """The fingerprints of all code that ran, on their way while the block goes on."""
    codes, texts = Codes(), list[bytes]()
    with suppress(CouncilError):  # what is wrong with rows or objects is found where they are checked
        commits = [row["commit"] for row in store.query('SELECT "commit" FROM experiments ORDER BY id')]
        texts = list(dict.fromkeys(history.files(repo, commits, TRAIN_PY).values()))
    if len(texts) < FEW:
        yield codes
        return
    with ProcessPoolExecutor(1) as pool:
        for at in range(0, len(texts), BATCH):
            codes.ask(pool, texts[at : at + BATCH])
        yield codes
