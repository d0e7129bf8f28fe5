"""How pages read: views on threads of their own, each with its own read-only connection; charts are kept.

A database that is not there yet, or a file that is none, is no error here: pages then say how to begin. How to extend:
what a page needs of another process (lock, live file) is a method here.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from council import live
from council.errors import StoreError
from council.lock import holder
from council.store import Store
from council.views.once import Kept

T = TypeVar("T")
THREADS = 2
KEPT = 256
"""Charts and long reads that are kept."""


class Reader:
    """The database of one lab, for pages."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.path = home / "council.db"
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="pages")
        self._local = threading.local()
        self.once = Kept(KEPT)

    @property
    def ready(self) -> bool:
        """Whether a session has ever begun here."""
        return self.path.is_file()

    @property
    def blank(self) -> bool:
        """Whether the file holds no table yet: a session has only just made it, or was killed before it could."""
        try:
            with self.path.open("rb") as file:
                return int.from_bytes(file.read(32)[28:]) <= 1  # pages, of which the first is SQLite's own
        except OSError:
            return False

    async def read(self, view: Callable[[Store], T]) -> T:
        """What a view makes of the store."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: view(self._store()))

    def _store(self) -> Store:
        found = getattr(self._local, "store", None)
        inode = self.path.stat().st_ino if self.path.exists() else 0
        if found is None or self._local.inode != inode:
            if found is not None:
                found.close()
                self.once = Kept(KEPT)  # another file: row 7 of one night is not row 7 of another
            self._local.store, self._local.inode = Store(self.path, read_only=True), inode
        return self._local.store  # type: ignore[no-any-return]

    def now(self) -> dict[str, Any] | None:
        """The live file, while a process runs a session."""
        if holder(self.home / "lock") is None:
            return None
        return live.read(self.home / live.NAME) or {}

    def warm(self) -> None:
        """Load what draws charts before the first page asks for one."""

        def load() -> None:
            try:
                from council.ui import charts

                charts.curve([[0, 0, 1.0], [1, 1, 0.9]])
            except (ImportError, StoreError, OSError):
                pass

        self._pool.submit(load)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
