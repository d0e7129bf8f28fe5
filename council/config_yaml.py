"""council.yaml as plain data with the line of every key, and its errors with file and line.

Why: a YAML file can run code, grow without end or hide a byte that nobody sees. So it is read as nodes: no tag runs, no
alias expands, no key is taken twice, and what looks like a secret is refused. What the keys mean is
`council/config.py`. How to extend: another thing that no file may hold is a fault in `Reader`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from council.config_members import may_hold_a_key
from council.errors import ConfigError
from council.redact import MARK, clean, redact

SIZE_LIMIT, DEPTH_LIMIT, SHOWN, TOLD = 1_000_000, 20, 10, 400
"""Most bytes of a file, deepest nesting in it, most errors reported at once, longest word of a stranger's code."""

Place = tuple[str | int, ...]
"""Where a value stands: the keys and numbers that lead to it."""
_PATH = re.compile(r"[A-Za-z0-9_.?\[\]-]{1,100}")
_CORE = "tag:yaml.org,2002:"
_SECRET = f"{MARK} looks like a key; a key stands in an environment variable, and api_key_env holds the variable's name"


@dataclass(frozen=True)
class Source:
    """The file that a configuration was read from, with the line of every key: no part of what it says."""

    file: Path | None = field(default=None, compare=False)
    lines: Mapping[Place, int] = field(default_factory=dict, compare=False)

    def wrong(self, place: Place, said: str, hint: str = "") -> ConfigError:
        """The error that a value is of no use, where only loading what it names could show that."""
        text = f"{path_of(place)}: {' '.join(said.split())[:TOLD]}"
        if self.file is None:
            return ConfigError(redact(text), hint=hint)
        found = broken(self.file, [(line_of(place, self.lines), text)])
        found.hint = f"{hint}\n{found.hint}".strip()
        return found


def broken(path: Path, problems: Iterable[tuple[int, str]]) -> ConfigError:
    """All problems, each a line number and a sentence, as one error."""
    told = sorted(dict.fromkeys(problems), key=lambda found: found[0])
    lines = [f"{path}:{line}: {redact(text)}" for line, text in told]
    lines[SHOWN:] = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return ConfigError("\n".join(lines), hint=f"Nothing was started. Mend {path} and run again.")


def text_of(path: Path) -> str:
    """The text of the file. Raises ConfigError if it cannot be read or is too large to be one."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", hint="Make a lab: council init DIR") from error
    if len(data) > SIZE_LIMIT:
        raise ConfigError(f"{path} is larger than {SIZE_LIMIT} bytes; a council.yaml has a few hundred.")
    return data.decode("utf-8-sig", "surrogateescape")  # a byte that is not UTF-8 is then refused with its line


@dataclass
class Reader:
    """Plain data from YAML nodes, with the line of every key path and what was wrong on the way."""

    path: Path
    text: str
    lines: dict[Place, int] = field(default_factory=lambda: {(): 1})
    shown: dict[Place, str] = field(default_factory=dict)
    problems: dict[Place, tuple[int, str]] = field(default_factory=dict)

    def read(self) -> object:
        """The whole file. Raises ConfigError where it is no YAML that we take."""
        try:
            depth = 0  # of an alias or a deep nest nothing shall be built
            for event in yaml.parse(self.text, Loader=yaml.SafeLoader):
                depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
                named = getattr(event, "anchor", None) is not None
                half = re.search("[\ud800-\udfff]", getattr(event, "value", ""))
                if named or half or depth > DEPTH_LIMIT:
                    what = "an anchor (&) or alias (*)" if named else "half a character" if half else "deep nesting"
                    raise broken(self.path, [(event.start_mark.line + 1, f"{what} is not allowed")])
            root = yaml.compose(self.text, Loader=yaml.SafeLoader)
        except yaml.reader.ReaderError as error:
            at = self.text.count("\n", 0, error.position) + 1
            said = f"the character {chr(error.character)!a} is not allowed in YAML"
            if 0xDC80 <= error.character <= 0xDCFF:
                said = f"the byte {error.character - 0xDC00:#x} is not UTF-8; save the file as UTF-8"
            raise broken(self.path, [(at, said)]) from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            said = ", ".join(part for part in (error.context, error.problem) if part)
            tab = "; indent with spaces, not with tabs" if "'\\t'" in said else ""
            raise broken(self.path, [(mark.line + 1, f"not YAML, column {mark.column + 1}: {said}{tab}")]) from None
        if not isinstance(root, yaml.MappingNode):
            found = "the file is empty" if root is None else "the file does not consist of keys and values"
            raise broken(self.path, [(1, f"{found}; it needs at least `members:` with a name and a kind each")])
        return self._build(root, ())

    def _build(self, node: yaml.Node, place: Place) -> Any:
        self.lines.setdefault(place, node.start_mark.line + 1)
        kind = node.tag.removeprefix(_CORE)
        if isinstance(node, yaml.SequenceNode) and kind == "seq":
            return [self._build(item, (*place, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode) and kind == "map":
            return self._mapping(node, place)
        if isinstance(node, yaml.ScalarNode) and kind in ("str", "int", "float", "bool", "null", "timestamp"):
            return self._scalar(node, kind, place)
        self._fault(place, node, f"the tag {show(node.tag)} is not allowed")
        return None

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            here = (*place, key.value if isinstance(key, yaml.ScalarNode) else "?")
            if not isinstance(key, yaml.ScalarNode):
                self._fault(here, key, "a key must be a plain word")
            elif key.value in data:
                self._fault((*here, "again"), key, f"given twice, first on line {self.lines[here]}")
            else:
                self.lines[here] = key.start_mark.line + 1
                data[key.value] = self._build(value, here)
                if redact(key.value) != key.value:
                    self._fault(here, key, _SECRET)
        return data

    def _scalar(self, node: yaml.ScalarNode, kind: str, place: Place) -> Any:
        quoted = show(node.value, place)
        self.shown[place] = quoted if kind in ("str", "null") else quoted.strip("'\"")
        if redact(node.value) != node.value:
            self._fault(place, node, _SECRET)
        self.shown[place] += " (false or true in YAML unless quoted)" * (kind == "bool")
        try:
            value = node.value if kind == "timestamp" else yaml.SafeLoader("").construct_object(node)
            if not isinstance(value, float) or math.isfinite(value):
                return value
            self._fault(place, node, f"{self.shown[place]} is not a finite number")
        except (ValueError, LookupError, yaml.YAMLError):
            self._fault(place, node, f"{quoted} is not of the kind {kind}")
        return None

    def _fault(self, place: Place, node: yaml.Node, text: str) -> None:
        self.problems[place] = (node.start_mark.line + 1, f"{path_of(place).removesuffix('.again')}: {text}")


def line_of(place: Place, lines: Mapping[Place, int]) -> int:
    """The line of a value, or of the nearest thing around it."""
    return next(lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in lines)


def path_of(place: Place) -> str:
    """A place as an error names it, for example members[0].options."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    text = redact(text)
    return text if _PATH.fullmatch(text) else show(text)


def show(value: object, place: Place = ()) -> str:
    """A value as an error shows it: without keys, escaped, on one line, not longer than 60 characters."""
    if may_hold_a_key(place[-1] if place else "", value):
        return "its value, not shown,"
    text = "nothing" if value is None or value == "" else ascii(clean(value))
    return text if len(text) <= 60 else text[:59] + "…"
