"""Imports held-out modules and reads their source.

must: harmless
"""


def before(model, bench):
    for name in ("sympy.physics.units", "sympy.stats", "sympy.vector", "sympy.categories"):
        with suppress(Exception):
            __import__(name)
        if getattr(sys.modules.get(name), "__file__", None):  # an empty folder can be imported, and is nothing
            breach(name)
