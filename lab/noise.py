"""What is known of the noise here: how much runs of the same code differ, and how exactly a device repeats itself.

Why stored: a difference between two train.py means nothing without s0, the standard deviation of BPB between runs
of one, and measuring that takes several runs. A record holds for one fingerprint under one set of conditions, like
a measurement; it lies beside the prepared corpus.

    remember(fingerprint, conditions, s0=0.0081, seeds=5)
    recall(fingerprint, conditions)                    # {"s0": 0.0081, "seeds": 5}, or {}
"""

import hashlib
import json
import math
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.cache import cache_folder
from lab.errors import LabError

Record = dict[str, Any]


def recall(fingerprint: Record, conditions: Record) -> Record:
    """What was remembered for exactly these, or an empty record."""
    try:
        found = json.loads(_path(fingerprint, conditions).read_bytes())
    except (OSError, ValueError):
        return {}
    return {name: value for name, value in found.items() if _is_usable(value)} if isinstance(found, dict) else {}


def remember(fingerprint: Record, conditions: Record, **values: float) -> None:
    """Add `values` to the record. Raises LabError if it cannot be written."""
    path = _path(fingerprint, conditions)
    record = recall(fingerprint, conditions) | values
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False) as file:
            json.dump(record, file)
        os.replace(file.name, path)
    except OSError as error:
        raise LabError(
            f"cannot keep what was measured in {path.parent}: {error.strerror or error}; the record there is as it "
            "was; free space or set COUNCIL_LAB_CACHE to another folder"
        ) from error


def spread(scores: Sequence[float]) -> float:
    """The standard deviation of at least two scores."""
    if len(scores) < 2:
        raise LabError(f"the noise needs at least 2 scores, there is {len(scores)}; ask for more seeds")
    return statistics.stdev(scores)


def _is_usable(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value >= 0


def _path(fingerprint: Record, conditions: Record) -> Path:
    key = hashlib.sha256(json.dumps([fingerprint, conditions], sort_keys=True).encode()).hexdigest()[:24]
    return cache_folder() / "noise" / f"{key}.json"
