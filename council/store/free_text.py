"""Which columns may hold what members, providers or edited code wrote.

Secrets in them are redacted on the way in. To extend: name a new free text of the schema here.
"""

from __future__ import annotations

FREE_TEXT = {
    "outcomes": ("detail",),
    "proposals": ("title", "hypothesis"),
    "checks": ("reason",),
    "critiques": ("text",),
    "responses": ("text",),
    "measurements": ("reason", "raw"),
    "logs": ("tail",),
    "verdicts": ("reason",),
}
"""Table → columns. Calls and replies are redacted by their recorder (`council/calls.py`).

Code is not redacted: an edit must stay what it was.
"""
