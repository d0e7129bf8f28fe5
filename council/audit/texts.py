"""The texts: what `council audit` reads of a night at length and compares with nothing but itself and git.

No text may hold a key, the full-text index says what the replies say, and what ran is its proposal's edit. It is half
the work of auditing a long night and nothing else waits for it, so `aside` may do it in a process of its own.
"""

from __future__ import annotations

from council.audit import edits, rows, secrets
from council.audit.findings import Findings
from council.repo import Repo
from council.store import Store, search_index


def check(store: Store, repo: Repo, found: Findings) -> None:
    """Check the texts of the whole database and the code of every session that was held here."""
    secrets.check(store, found)
    with found.reading("search"):
        fault = search_index.fault(store.path)
        found.unless(not fault, "search", "replies", f"what `council search` finds is not what they say: {fault}")
    with found.reading("sessions"):
        for session in rows.sessions(store):
            if not rows.imported(session):
                with found.reading(f"{session['name']}: edits"):
                    edits.check(store, repo, session, found)
