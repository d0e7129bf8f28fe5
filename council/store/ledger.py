"""The ledger: one line per recorded row, each hashed over the line before, so that no row changes unseen.

    sha256 = SHA-256(canonical JSON of the row as the database returns it)
    hash   = SHA-256(canonical JSON of [seq, at, tbl, row_id, sha256, prev])

The head of the chain stands in the trailer of every experiment's commit, so a rewritten database no longer matches git.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

GENESIS = "0" * 64


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces; the one text of a value. Raises ValueError on NaN and infinity."""
    return _ENCODER.encode(value)


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()


def link(seq: int, at: float, tbl: str, row_id: int, row: Mapping[str, object], prev: str) -> tuple[str, str]:
    """(sha256 of the row, hash of its ledger line)."""
    sha256 = digest(dict(row))
    return sha256, digest([seq, at, tbl, row_id, sha256, prev])
