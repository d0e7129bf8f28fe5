"""The door to council.yaml: what a session is told, checked before anything runs.

Why: a night that dies at round 40 of a typing error is lost, so every error is reported at once, before the start, with
file, line, key, value and what is allowed. The file is read as YAML nodes (no tag runs, no alias expands) and checked
by pydantic. How to extend: add a field with an `Allowed`, in the same change as the code that makes it work; what a
member may be given stands in `council/config_members.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from council.config_members import DOTTED, Allowed, MemberConfig, Section, may_hold_a_key, one_of
from council.errors import ConfigError
from council.redact import MARK, clean, redact

RULES = ("forecast", "borda", "schulze")
"""The rules that come with the council; they make a pick of the ballots."""
SIZE_LIMIT, DEPTH_LIMIT, SHOWN = 1_000_000, 20, 10
"""Most bytes of a file, deepest nesting in it, most errors reported at once."""

_Place = tuple[str | int, ...]
_PATH = re.compile(r"[A-Za-z0-9_.?\[\]-]{1,100}")
_LIST = "allowed: a list of at least one {name, kind}"
_CORE = "tag:yaml.org,2002:"
_SECRET = f"{MARK} looks like a key; a key stands in an environment variable, and api_key_env holds the variable's name"

_INSIDE = re.compile(r"(?!/|(.*/)?\.\.(/|$)).*\S.*").fullmatch
_FILE = Allowed("the path of a file inside the repository", test=_INSIDE)
_PAIRS: Callable[[object], object] = lambda value: re.fullmatch(r"auto|\d{1,2}|\d\+\d", str(value))  # noqa: E731
_CLOCK: Callable[[object], object] = lambda v: v is None or re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", str(v))  # noqa: E731
_DOLLARS = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
_BUDGET = Allowed("auto, or seconds of training above 0, at most 86400")


def known_rules() -> tuple[str, ...]:
    """The names a rule can have, third parties' included; nothing is imported to find out."""
    return tuple(dict.fromkeys([*RULES, *sorted(point.name for point in entry_points(group="council.rules"))]))


class Lab(Section):
    """How experiments are measured."""

    dir: Annotated[str, one_of("lab")] = "lab"
    corpus: Annotated[str, one_of("auto", "sympy")] = "auto"
    budget: Annotated[Literal["auto"] | Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)], _BUDGET] = "auto"
    device: Annotated[str, one_of("auto", "cpu", "cuda", "mps")] = "auto"
    sandbox: Annotated[str, one_of("auto", "bwrap", "landlock", "none")] = "auto"


class Judge(Section):
    """How ballots become a pick."""

    rule: Annotated[str, Allowed("or a function as package.module:function", known_rules, DOTTED)] = RULES[0]
    p_keep: Annotated[float, Field(gt=0, lt=1), Allowed("a belief between 0 and 1")] = 0.5
    closing_pairs: Annotated[int | str, Allowed("auto, a number of pairs, or blocks such as 3+3", test=_PAIRS)] = "auto"


class Stop(Section):
    """When a session ends."""

    rounds: Annotated[int, Field(ge=1, le=1_000_000), Allowed("a whole number of rounds, 1 to 1000000")] = 100
    until: Annotated[str | None, Allowed('null, or a time of day such as "07:30"', test=_CLOCK)] = None
    max_usd: Annotated[_DOLLARS | None, Allowed("dollars above 0, or null for no cap")] = 20.0


class Executor(Section):
    """Where experiments run."""

    kind: Annotated[str, one_of("local")] = "local"


class Config(Section):
    """The whole of council.yaml."""

    program: Annotated[str, _FILE] = "program.md"
    lab: Lab = Lab()
    members: Annotated[tuple[MemberConfig, ...], Field(strict=False)]
    judge: Judge = Judge()
    stop: Stop = Stop()
    executor: Executor = Executor()
    idle: Annotated[str, one_of("wait")] = "wait"

    @field_validator("members")
    @classmethod
    def _distinct(cls, members: tuple[MemberConfig, ...]) -> tuple[MemberConfig, ...]:
        names = [member.name for member in members]
        twice = [index for index, name in enumerate(names) if name in names[:index]]
        if twice or not members:
            said = "two members have this name" if twice else _LIST
            raise PydanticCustomError("allowed", "{said}", {"said": said, "at": [(n, "name") for n in twice[:1]]})
        return members

    def override(
        self,
        *,
        budget: float | str | None = None,
        rounds: int | None = None,
        until: str | None = None,
        max_usd: float | None = None,
    ) -> Config:
        """This configuration with what the command line says instead."""
        data = self.model_dump()
        data["lab"] |= {} if budget is None else {"budget": budget}
        given = {"rounds": rounds, "until": until, "max_usd": max_usd}
        data["stop"] |= {key: value for key, value in given.items() if value is not None}
        try:
            return Config.model_validate(data)
        except ValidationError as error:
            wrong = [
                f"--{str(e['loc'][-1]).replace('_', '-')}: {_show(e['input'])} is not allowed; {e['msg']}"
                for e in error.errors()
            ]
            raise ConfigError("\n".join(wrong)) from None


def to_public(config: Config) -> dict[str, Any]:
    """The configuration as plain data for the store; it holds no secret."""
    return config.model_dump(mode="json")


def load(path: Path) -> Config:
    """Read and check council.yaml; everything that is wrong with it becomes one ConfigError."""
    reader = _Reader(path, _text(path))
    try:
        config = Config.model_validate(reader.read())
    except ValidationError as error:
        raise _broken(path, {**_explain(error, reader), **reader.problems}.values()) from None
    if reader.problems:
        raise _broken(path, reader.problems.values())
    return config


def _broken(path: Path, problems: Iterable[tuple[int, str]]) -> ConfigError:
    told = sorted(dict.fromkeys(problems), key=lambda found: found[0])
    lines = [f"{path}:{line}: {redact(text)}" for line, text in told]
    lines[SHOWN:] = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return ConfigError("\n".join(lines), hint=f"Nothing was started. Mend {path} and run again.")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", hint="Make a lab: council init DIR") from error
    if len(data) > SIZE_LIMIT:
        raise ConfigError(f"{path} is larger than {SIZE_LIMIT} bytes; a council.yaml has a few hundred.")
    return data.decode("utf-8-sig", "surrogateescape")  # a byte that is not UTF-8 is then refused with its line


@dataclass
class _Reader:
    """Plain data from YAML nodes, with the line of every key path and what was wrong on the way."""

    path: Path
    text: str
    lines: dict[_Place, int] = field(default_factory=lambda: {(): 1})
    shown: dict[_Place, str] = field(default_factory=dict)
    problems: dict[_Place, tuple[int, str]] = field(default_factory=dict)

    def read(self) -> object:
        try:
            depth = 0  # of an alias or a deep nest nothing shall be built
            for event in yaml.parse(self.text, Loader=yaml.SafeLoader):
                depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
                named = getattr(event, "anchor", None) is not None
                half = re.search("[\ud800-\udfff]", getattr(event, "value", ""))
                if named or half or depth > DEPTH_LIMIT:
                    what = "an anchor (&) or alias (*)" if named else "half a character" if half else "deep nesting"
                    raise _broken(self.path, [(event.start_mark.line + 1, f"{what} is not allowed")])
            root = yaml.compose(self.text, Loader=yaml.SafeLoader)
        except yaml.reader.ReaderError as error:
            at = self.text.count("\n", 0, error.position) + 1
            said = f"the character {chr(error.character)!a} is not allowed in YAML"
            if 0xDC80 <= error.character <= 0xDCFF:
                said = f"the byte {error.character - 0xDC00:#x} is not UTF-8; save the file as UTF-8"
            raise _broken(self.path, [(at, said)]) from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            said = ", ".join(part for part in (error.context, error.problem) if part)
            tab = "; indent with spaces, not with tabs" if "'\\t'" in said else ""
            raise _broken(self.path, [(mark.line + 1, f"not YAML, column {mark.column + 1}: {said}{tab}")]) from None
        if not isinstance(root, yaml.MappingNode):
            found = "the file is empty" if root is None else "the file does not consist of keys and values"
            raise _broken(self.path, [(1, f"{found}; it needs at least `members:` with a name and a kind each")])
        return self._build(root, ())

    def _build(self, node: yaml.Node, place: _Place) -> Any:
        self.lines.setdefault(place, node.start_mark.line + 1)
        kind = node.tag.removeprefix(_CORE)
        if isinstance(node, yaml.SequenceNode) and kind == "seq":
            return [self._build(item, (*place, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode) and kind == "map":
            return self._mapping(node, place)
        if isinstance(node, yaml.ScalarNode) and kind in ("str", "int", "float", "bool", "null", "timestamp"):
            return self._scalar(node, kind, place)
        self._fault(place, node, f"the tag {_show(node.tag)} is not allowed")
        return None

    def _mapping(self, node: yaml.MappingNode, place: _Place) -> dict[str, Any]:
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

    def _scalar(self, node: yaml.ScalarNode, kind: str, place: _Place) -> Any:
        quoted = _show(node.value, place)
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

    def _fault(self, place: _Place, node: yaml.Node, text: str) -> None:
        self.problems[place] = (node.start_mark.line + 1, f"{_path(place).removesuffix('.again')}: {text}")


def _explain(error: ValidationError, reader: _Reader) -> dict[_Place, tuple[int, str]]:
    """Each of pydantic's complaints as a line number and a sentence, one per key path."""
    found: dict[_Place, tuple[int, str]] = {}
    for problem in error.errors(include_url=False):
        kind, place = problem["type"], problem["loc"] + tuple(*problem.get("ctx", {}).get("at", ()))
        shown = reader.shown.get(place) or _show(problem["input"], place)
        if kind == "extra_forbidden":
            text = f"{_path(place)}: unknown key; {one_of(*_keys(place[:-1])).describe(place[-1])}"
        elif kind == "missing":
            text = f"{_path(place)} is missing"
        else:
            other = _LIST if place == ("members",) else "allowed: keys and values"
            text = f"{_path(place)}: {shown} is not allowed; {problem['msg'] if kind == 'allowed' else other}"
        at = next(reader.lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in reader.lines)
        found.setdefault(place, (at, text))
    return found


def _keys(place: _Place) -> tuple[str, ...]:
    model: Any = Config
    for part in place:
        kind = model.model_fields[part].annotation if isinstance(part, str) else model
        model = (get_args(kind) or (kind,))[0]
    return tuple(model.model_fields)


def _path(place: _Place) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    text = redact(text)
    return text if _PATH.fullmatch(text) else _show(text)


def _show(value: object, place: _Place = ()) -> str:
    """A value as an error shows it: without keys, escaped, on one line, not longer than 60 characters."""
    if may_hold_a_key(place[-1] if place else "", value):
        return "its value, not shown,"
    text = "nothing" if value is None or value == "" else ascii(clean(value))
    return text if len(text) <= 60 else text[:59] + "…"
