"""The guard: which proposals may reach the GPU. Checks run from cheap to dear and each failure names its exact reason.

applies · parses · defines build and train · seeds nothing of its own · no duplicate of measured or proposed code ·
smoke. All but the last are here and pure; trying the code is the executor's. To add a check: a function from a source
to a reason ('' means fine) in CHECKS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from council import syntax

SOURCE_LIMIT = 64 * 1024
"""Largest train.py, in bytes; the lab refuses more."""


def _small(source: str) -> str:
    size = len(source.encode("utf-8", "replace"))
    return f"train.py would be {size} bytes; the limit is {SOURCE_LIMIT}" if size > SOURCE_LIMIT else ""


def _parses(source: str) -> str:
    try:
        syntax.parse(source)
    except syntax.Unparsable as error:
        return f"train.py does not parse: {error}"
    return ""


def _complete(source: str) -> str:
    missing = sorted({"build", "train"} - syntax.defines(source))
    return f"train.py does not define {' and '.join(missing)}" if missing else ""


def _unseeded(source: str) -> str:
    found = syntax.seeding(source)
    if not found:
        return ""
    line, call = found[0]
    return f"line {line} seeds chance itself ({call}); only bench.seed is allowed, and it is set before build"


CHECKS: tuple[Callable[[str], str], ...] = (_small, _parses, _complete, _unseeded)


def inspect(source: str, known: Mapping[str, str]) -> str:
    """Why the source may not run, or ''. `known` maps the fingerprint of code already seen to where it was seen."""
    for check in CHECKS:
        if reason := check(source):
            return reason
    where = known.get(syntax.fingerprint(source))
    return f"this is the same code as {where}; comments and layout do not count" if where else ""
