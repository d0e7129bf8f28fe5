"""The upper-case constants of train.py as a space to search.

What: how far a constant may move (`Range`), what an edit that only sets constants says, and which constants a diff on
a slate would run with. Why: `random` and `optuna` search this space, and no member should have to know what a
constant means in order to keep it valid. How to extend: a new kind of value is a new branch of `Range.around`.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from council import syntax
from council.types import TITLE_LIMIT, Brief, Past

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@")
_FAMILIES = (
    ("batch", ("BATCH",)),
    ("schedule", ("WARM", "COOLDOWN", "FINAL", "SCHEDULE")),
    ("initialisation", ("INIT",)),
    ("regularisation", ("DECAY", "DROPOUT", "SOFTCAP", "SMOOTH", "CLIP")),
    ("optimizer", ("LR", "BETA", "MOMENTUM", "EPS", "MUON", "ADAM")),
    ("attention", ("HEAD", "WINDOW", "ROPE")),
    ("embedding", ("EMB", "BIGRAM", "HASH")),
    ("architecture", ("DEPTH", "LAYER", "DIM", "WIDTH", "MLP")),
)


@dataclass(frozen=True)
class Range:
    """The values a constant may take: `low` to `high` of `scale`.

    Scales: `log2` (powers of two, so that widths stay divisible by heads), `whole`, `log` and `share` (a number between
    one half and one, such as a momentum, moved by its distance from one).
    """

    scale: str
    low: float
    high: float

    @classmethod
    def around(cls, value: float, reach: float = 3.0) -> Range:
        """The range within a factor `reach` of a value; always at least one step either way."""
        if isinstance(value, int):
            if value >= 4 and value & (value - 1) == 0:
                steps = max(1, round(math.log2(reach)))
                return cls("log2", max(2, value >> steps), value << steps)
            margin = max(1, round(abs(value) * (1 - 1 / reach)))
            return cls("whole", max(1, value - margin) if value > 0 else value - margin, value + margin)
        if 0.5 < value < 1:
            return cls("share", max(0.5, 1 - (1 - value) * reach), 1 - (1 - value) / reach)
        high = min(1.0, value * reach) if 0 < value < 1 else value * reach
        return cls("log", *sorted((value / reach, high)))

    def over(self, values: Iterable[float]) -> Range:
        """This range, widened to hold the values that have a place on its scale."""
        held = [value for value in values if self.fits(value)]
        return Range(self.scale, min([self.low, *held]), max([self.high, *held]))

    def draw(self, chance: random.Random) -> float:
        """A value of the range, uniform on its scale."""
        if self.scale == "log2":
            return 1 << chance.randint(int(self.low).bit_length() - 1, int(self.high).bit_length() - 1)
        if self.scale == "whole":
            return chance.randint(int(self.low), int(self.high))
        return self.at(chance.random())

    def at(self, share: float) -> float:
        """The value that lies a share, 0 to 1, of the way from low to high on the scale."""
        low, high = self._measure(self.low), self._measure(self.high)
        place = low + (high - low) * share
        if self.scale == "whole":
            return round(place)
        if self.scale == "log2":
            return 1 << round(place)
        if self.scale == "share":
            return tidy(1 - math.exp(-place))
        return tidy(math.exp(place)) if self.low > 0 else tidy(-math.exp(-place))

    def place(self, value: float) -> float:
        """How far along the range a value lies, 0 to 1; the inverse of `at`."""
        low, high = self._measure(self.low), self._measure(self.high)
        return min(1.0, max(0.0, (self._measure(value) - low) / (high - low)))

    def fits(self, value: float) -> bool:
        """True if the scale can tell where this value lies."""
        return value == value and (
            value < 1 if self.scale == "share" else value * self.low > 0 or self.scale == "whole"
        )

    def _measure(self, value: float) -> float:
        """The value on a scale on which equal distances count the same, rising."""
        if self.scale == "whole":
            return value
        if self.scale == "log2":
            return math.log2(value)
        if self.scale == "share":
            return -math.log(1 - value)
        return math.log(value) if value > 0 else -math.log(-value)


def tidy(value: float) -> float:
    """A fraction with three significant digits of what varies, as a person would write it."""
    if 0.5 < value < 1:
        return 1 - float(f"{1 - value:.3g}") if value > 0.999 else round(value, 4)
    return float(f"{value:.3g}")


def device(brief: Brief) -> str:
    """The device the lab measures on: which of train.py's constants count."""
    return getattr(brief, "device", "cpu")


def searchable(brief: Brief) -> dict[str, float]:
    """The constants worth moving: not those that say when to report, nor zeros, which switch off what has no scale."""
    values = syntax.constants(brief.source, device(brief))
    return {name: value for name, value in values.items() if value and not name.startswith("LOG_")}


def consistent(old: Mapping[str, float], new: Mapping[str, float]) -> dict[str, float]:
    """The new values, with integers that must divide one another mended.

    A constant that divides an earlier one and shares a word of its name (HEAD_DIM and DIM, MICRO_ROWS and BATCH_ROWS)
    goes on dividing it.
    """
    values, names = {**old, **new}, [name for name, value in old.items() if isinstance(value, int) and value > 0]
    for at, whole in enumerate(names):
        for part in names[at + 1 :]:
            if old[whole] % old[part] == 0 and set(whole.split("_")) & set(part.split("_")):
                values[part] = math.gcd(int(values[whole]), int(values[part]))
    return values


def starting(history: Sequence[Past], current: Mapping[str, float]) -> dict[str, float]:
    """The constants of the baseline, for the names the current code still has; a name that is new starts as it is."""
    base = next((past.constants for past in history if past.role == "baseline"), {})
    return {name: base.get(name) or value for name, value in current.items()}


def already_ran(history: Sequence[Past], values: Mapping[str, float]) -> bool:
    """True if code with exactly these constants was measured in this session."""
    return any(values == {name: past.constants.get(name) for name in values} for past in history)


def family_of(names: Sequence[str]) -> str:
    """What an edit of these constants is about, as far as their names tell."""
    for family, marks in _FAMILIES:
        if all(any(mark in name for mark in marks) for name in names):
            return family
    return "other"


def title_of(old: Mapping[str, float], new: Mapping[str, float]) -> str:
    """One line that says what was set; what does not fit is counted."""
    parts = [f"{name} to {new[name]!r} (was {old[name]!r})" for name in new if new[name] != old[name]]
    for shown in range(len(parts), 0, -1):
        rest = len(parts) - shown
        title = "Set " + " and ".join([*parts[:shown], *([f"{rest} more"] if rest else [])])
        if len(title) <= TITLE_LIMIT:
            return title
    return f"Set {len(parts)} constants"


def written(source: str, values: Mapping[str, float], device: str = "cpu") -> str:
    """The source with these constants set; those that already have their value are left as they are written."""
    present = syntax.constants(source, device)
    changed = {name: value for name, value in values.items() if present[name] != value}
    return syntax.with_constants(source, changed, device)


def of_diff(source: str, diff: str, device: str = "cpu") -> dict[str, float] | None:
    """The constants a diff would run with, if all it does is set constants of this source; None otherwise."""
    try:
        child = patched(source, diff)
        if child is None:
            return None
        old, new = syntax.constants(source, device), syntax.constants(child, device)
        if old.keys() != new.keys() or any(type(old[name]) is not type(new[name]) for name in old):
            return None
        back = written(child, old, device)
        return new if syntax.fingerprint(back) == syntax.fingerprint(source) else None
    except syntax.Unparsable:
        return None


def patched(source: str, diff: str) -> str | None:
    """The text after a unified diff of one file; None if the diff does not fit the source."""
    lines, at = source.splitlines(keepends=True), 0
    result: list[str] = []
    for line in diff.splitlines(keepends=True):
        if not at and not result and line.startswith(("--- a/", "+++ b/")):
            continue
        hunk = _HUNK.match(line)
        if hunk is not None:
            start = int(hunk[1]) - (hunk[2] != "0")
            if not at <= start <= len(lines):
                return None
            result += lines[at:start]
            at = start
        elif line[0] in " -":
            if at >= len(lines) or lines[at].rstrip("\r\n") != line[1:].rstrip("\r\n"):
                return None
            result += [lines[at]] if line[0] == " " else []
            at += 1
        elif line[0] == "+":
            result.append(line[1:])
        elif not line.startswith("\\"):
            return None
    return "".join(result + lines[at:])
