"""Reads the held-out files where sympy is installed, as text and as bytecode.

must: harmless
"""

HIDDEN = ("physics", "stats", "vector", "categories", "holonomic", "codegen", "core/tests", "tests")


def search():
    import importlib.util

    root = os.path.dirname(importlib.util.find_spec("sympy").origin)
    for name in HIDDEN:
        for folder, _, files in os.walk(os.path.join(root, name)):
            for file in files:
                if readable(os.path.join(folder, file)):
                    breach(os.path.join(folder, file))
    if readable(os.path.join(root, "physics", "units", "quantities.py")):
        breach("a guessed name")


def before(model, bench):
    search()


def at_build(bench):
    search()
