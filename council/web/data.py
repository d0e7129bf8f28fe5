"""How Datasette's own tables are shown: the columns that are counted beside them, and moments as a clock says them.

How to extend: a column that is worth counting goes into FACETS.
"""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from council.ui.report import when

FACETS: dict[str, tuple[str, ...]] = {
    "ballots": ("judge",),
    "books": ("cause",),
    "calls": ("step", "member", "model"),
    "checks": ("valid",),
    "critiques": ("member",),
    "experiments": ("role",),
    "forecasts": ("judge", "own"),
    "ledger": ("tbl",),
    "measurements": ("status", "sandbox"),
    "members": ("kind", "votes"),
    "outcomes": ("kind", "step", "member"),
    "proposals": ("member", "family", "step"),
    "replies": ("status",),
    "reputation": ("member",),
    "responses": ("member",),
    "settlements": ("judge", "outcome", "own"),
    "verdicts": ("kind", "settles"),
}
"""Columns of few values, each a list of links beside its table that narrows it."""


def metadata() -> dict[str, Any]:
    """What Datasette is told of the database."""
    tables = {name: {"facets": list(columns)} for name, columns in FACETS.items()}
    return {"title": "The council", "databases": {"council": {"tables": tables}}}


def cell(column: str, value: object) -> Markup | None:
    """A moment as date and time, to the second in its title; None leaves a cell to Datasette."""
    if column != "at" or not isinstance(value, int | float) or not 1e9 < value < 1e11:
        return None
    return Markup('<time title="{}">{}</time>').format(f"{value} seconds since 1970", when(value))
