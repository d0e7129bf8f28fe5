"""Brings weights along inside its 64 kB: allowed, and capped.

must: harmless
fill: 40000
"""


def after(model, bench):
    assert EMBEDDED
