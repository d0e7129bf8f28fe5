"""The only door to SQLite: `Store` records rows and reads them back; see `database.py`."""

from council.store.database import Row, Store, now
from council.store.ledger import GENESIS, canonical, digest, link
from council.store.migrations import OBJECTS, statements
from council.store.schema import LEDGER, TABLES

__all__ = ["GENESIS", "LEDGER", "OBJECTS", "TABLES", "Row", "Store", "canonical", "digest", "link", "now", "statements"]
