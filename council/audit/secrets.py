"""Secrets: no text of the database may hold anything with the shape of a key.

Prompts repeat each other, so every distinct line is looked through once; what looks like a key there is looked at again
in the whole value, as `council/redact.py` sees it when it records. How to extend: the shapes stand in that file; a new
text column of the schema is looked through by itself.
"""

from __future__ import annotations

import json
import re

from council import redact
from council.audit.findings import Findings
from council.audit.rows import batches
from council.store import TABLES, Row, Store

SHORTEST = 19
"""Nothing shorter has the shape of a key, not even with the word before it that makes it one."""
ESCAPE = re.compile(r"\\(?:u[0-9a-f]{4}|.)")
"""In canonical JSON; what follows one of these begins a word."""


def check(store: Store, found: Findings) -> None:
    """Look through every text of the database; what is found is named by its place, never shown."""
    search = _Search(found)
    for tbl in TABLES:
        with found.reading(tbl):
            for row in batches(store, tbl, "id"):
                with found.reading(f"{tbl} row {row['id']}"):
                    search.row(tbl, row)


class _Search:
    """Looks through rows; remembers the hashes of lines and paragraphs that hold nothing."""

    def __init__(self, found: Findings) -> None:
        self.found = found
        self._clean: set[int] = set()

    def row(self, tbl: str, row: Row) -> None:
        """Look through every text of a row."""
        table = TABLES[tbl]
        for column, kind in table.columns.items():
            text = row[column]
            if kind is not str or not isinstance(text, str) or len(text) < SHORTEST:
                continue
            if self._suspect(text, column in table.json):
                value = json.loads(text) if column in table.json else text
                if redact.clean(value) != value:
                    self.found.add("secret", f"{tbl} {row['id']}.{column}", "it holds something shaped like a key")

    def _suspect(self, text: str, as_json: bool) -> bool:
        """Whether any line of a text may hold a key; no key reaches beyond its line. Known paragraphs are passed by."""
        end = "\\n" if as_json else "\n"
        for part in text.split(end + end):
            if hash(part) not in self._clean:
                for line in part.split(end):
                    if hash(line) not in self._clean:
                        if any(True for _ in redact.find(ESCAPE.sub(" ", line) if as_json else line)):
                            return True
                        self._clean.add(hash(line))
                self._clean.add(hash(part))
        return False
