"""Brings more than 64 kB along.

must: rejected bytes
fill: 66000
"""


def after(model, bench):
    assert EMBEDDED
