"""Reports a million steps and no loss at all.

must: harmless
"""


def after(model, bench):
    bench.log(10**6, 0.0)
