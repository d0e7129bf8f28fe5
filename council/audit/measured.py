"""Measurements: the columns that verdicts are computed from say what the referee said.

The referee's whole report stands beside them as it came. How to extend: a column that is taken from the report is a
name in SAID.
"""

from __future__ import annotations

import json

from council.audit.findings import Findings
from council.store import Row, Store

SAID = ("status", "val_bpb", "s0", "sandbox", "conditions", "fingerprint")


def check(store: Store, session: Row, found: Findings) -> None:
    """Compare every measurement of a session with its report; what a report leaves out is not compared."""
    for row in store.rows("measurements", session=session["id"]):
        where = f"{session['name']} x{row['number']}"
        with found.reading(where):
            said = {name: row["raw"][name] for name in SAID if name in row["raw"]}
            if "fingerprint" in said:
                said["fingerprint"] = json.dumps(said["fingerprint"], sort_keys=True)
            found.compare("measurement", where, row, said)
