"""Long reads made once: a view that costs much names what it depends on, and whoever asks again may keep what it gave.

A command asks once and uses `anew`; pages and the live display ask every second and use a `Kept`. How to extend: a view
takes `once: Once = anew` and calls it with a key that names every row its result depends on.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from council.store import Store

T = TypeVar("T")


class Once(Protocol):
    """Gives what `make` gives; the key names everything that depends on."""

    def __call__(self, key: Hashable, make: Callable[[], T], /) -> T:
        """What `make` gives, now or when it was last called for this key."""
        ...


def anew(key: Hashable, make: Callable[[], T], /) -> T:
    """Keeps nothing."""
    return make()


def heads(store: Store, tables: Iterable[str]) -> tuple[int | None, ...]:
    """The last row of each table, for a key: rows are only ever added, so nothing changes in them while it stays."""
    return tuple(next(store.query(f"SELECT max(id) AS id FROM [{table}]"))["id"] for table in tables)


class Kept:
    """Keeps the results of the last `size` keys, for any thread."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, key: Hashable, make: Callable[[], T], /) -> T:
        """What `make` gives, made once per key while the key is among the last that were asked for."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]  # type: ignore[no-any-return]
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self.size:
                self._kept.popitem(last=False)
        return made
