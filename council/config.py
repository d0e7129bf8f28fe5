"""The door to council.yaml: what a session is told, checked before anything runs.

Why: a night that dies at round 40 of a typing error is lost, so every error is reported at once, before the start, with
file, line, key, value and what is allowed. The file is read as YAML nodes (no tag runs, no alias expands) and checked
by pydantic. How to extend: add a field with an `Allowed`, in the same change as the code that makes it work; a new rule
is one more name in `RULES`; a third party's member is an entry point of `council.members` or a dotted path.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator
from pydantic_core import CoreSchema, core_schema

from council.errors import ConfigError

KINDS = ("random", "optuna", "textbook")
"""The members that come with the council."""

RULES = ("borda",)
"""The rules that make a pick of the ballots."""

SIZE_LIMIT = 1_000_000
DEPTH_LIMIT = 20
SHOWN = 10
"""Most bytes of a file, deepest nesting in it, most errors reported at once."""

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_Place = tuple[str | int, ...]
_CORE = "tag:yaml.org,2002:"


def known_kinds() -> tuple[str, ...]:
    """The names a member's kind can have, third parties' included; nothing is imported to find out."""
    return tuple(dict.fromkeys([*KINDS, *sorted(point.name for point in entry_points(group="council.members"))]))


@dataclass(frozen=True)
class Allowed:
    """What a key may hold: a text for the error, a list of names, and a pattern or a test beyond them."""

    text: str = ""
    names: Callable[[], tuple[str, ...]] | None = None
    test: Callable[[str], bool] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], CoreSchema]) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def check(self, value: Any) -> Any:
        """Pass a value that is one of the names or satisfies the test; a key with neither takes any value."""
        named = self.names is not None and value in self.names()
        tested = self.test is not None and self.test(value)
        if not (named or tested) and (self.names or self.test):
            raise ValueError("not allowed")
        return value

    def describe(self, value: object) -> str:
        """`allowed: …`, and the name that was probably meant."""
        names = self.names() if self.names is not None else ()
        allowed = "; allowed: " + ", ".join(part for part in (*names, self.text) if part)
        return allowed + _meant(value, names)


def _one_of(*names: str) -> Allowed:
    return Allowed(names=lambda: names)


def _inside(path: str) -> bool:
    return bool(path.strip()) and not Path(path).is_absolute() and ".." not in Path(path).parts


_SECONDS = Field(gt=0, le=86_400, allow_inf_nan=False)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)


class Lab(_Model):
    """How experiments are measured."""

    dir: Annotated[str, _one_of("lab")] = "lab"
    corpus: Annotated[str, _one_of("auto", "sympy")] = "auto"
    budget: Annotated[
        Literal["auto"] | Annotated[float, _SECONDS], Allowed("auto, or seconds of training above 0, at most 86400")
    ] = "auto"
    device: Annotated[str, _one_of("auto", "cpu", "cuda", "mps")] = "auto"
    sandbox: Annotated[str, _one_of("auto", "none")] = "auto"


class MemberConfig(_Model):
    """One member as the file names it; `options` go to its kind."""

    name: Annotated[
        str,
        Allowed(
            "1 to 32 of a-z, 0-9, dot, underscore and dash, the first a letter or digit",
            test=lambda name: _NAME.fullmatch(name) is not None,
        ),
    ]
    kind: Annotated[
        str,
        Allowed(
            "or a class as package.module:Class", names=known_kinds, test=lambda kind: bool(_DOTTED.fullmatch(kind))
        ),
    ]
    options: Annotated[dict[str, JsonValue], Allowed("keys and values for this kind of member")] = {}


class Judge(_Model):
    """How ballots become a pick."""

    rule: Annotated[str, Allowed(names=lambda: RULES)] = "borda"


class Stop(_Model):
    """When a session ends."""

    rounds: Annotated[int, Field(ge=1, le=1_000_000), Allowed("a whole number of rounds, 1 to 1000000")] = 100


class Executor(_Model):
    """Where experiments run."""

    kind: Annotated[str, _one_of("local")] = "local"


class Config(_Model):
    """The whole of council.yaml."""

    program: Annotated[str, Allowed("the path of a file inside the repository", test=_inside)] = "program.md"
    lab: Annotated[Lab, Allowed("keys and values")] = Lab()
    members: Annotated[tuple[MemberConfig, ...], Field(strict=False), Allowed("a list of at least one {name, kind}")]
    judge: Annotated[Judge, Allowed("keys and values")] = Judge()
    stop: Annotated[Stop, Allowed("keys and values")] = Stop()
    executor: Annotated[Executor, Allowed("keys and values")] = Executor()
    idle: Annotated[str, _one_of("wait")] = "wait"

    @field_validator("members")
    @classmethod
    def _unique(cls, members: tuple[MemberConfig, ...]) -> tuple[MemberConfig, ...]:
        if not members or len({member.name for member in members}) < len(members):
            raise ValueError("members need names of their own")
        return members

    def override(self, *, budget: float | str | None = None, rounds: int | None = None) -> Config:
        """This configuration with what the command line says instead."""
        data = self.model_dump()
        if budget is not None:
            data["lab"]["budget"] = budget
        if rounds is not None:
            data["stop"]["rounds"] = rounds
        try:
            return Config.model_validate(data)
        except ValidationError as error:
            options = {("lab", "budget"): ("--budget", budget), ("stop", "rounds"): ("--rounds", rounds)}
            lines = []
            for place, (name, value) in options.items():
                if any(tuple(problem["loc"])[:2] == place for problem in error.errors()):
                    lines.append(f"{name}: {_show(value)} is not allowed{_field(place)[1].describe(value)}")
            raise ConfigError("\n".join(lines)) from None


def to_public(config: Config) -> dict[str, Any]:
    """The configuration as plain data for the store; it holds no secret."""
    return config.model_dump(mode="json")


def load(path: Path) -> Config:
    """Read and check council.yaml; everything that is wrong with it becomes one ConfigError."""
    reader = _Reader(_text(path))
    data = reader.read(path)
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        raise _broken(path, {**_explain(error, reader), **reader.problems}.values()) from None
    if reader.problems:
        raise _broken(path, reader.problems.values())
    return config


def _broken(path: Path, problems: Iterable[tuple[int, str]]) -> ConfigError:
    lines = [f"{path}:{line}: {text}" for line, text in sorted(dict.fromkeys(problems), key=lambda found: found[0])]
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return ConfigError("\n".join(lines[:SHOWN] + more), hint=f"Nothing was started. Mend {path} and run again.")


def _text(path: Path) -> str:
    """The file's text, or why it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        hint = "Run the council in a lab, or make one: council init DIR"
        raise ConfigError(f"There is no file {path}.", hint=hint) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) > SIZE_LIMIT:
        raise ConfigError(f"{path} is larger than {SIZE_LIMIT} bytes; a council.yaml has a few hundred.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _broken(path, [(line, f"byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8")]) from None


class _Reader:
    """Plain data from YAML nodes, with the line of every key path and what was wrong on the way."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines: dict[_Place, int] = {(): 1}
        self.shown: dict[_Place, str] = {}
        self.problems: dict[_Place, tuple[int, str]] = {}
        self._scalars = yaml.SafeLoader("")

    def read(self, path: Path) -> object:
        try:
            self._scan(path)
            root = yaml.compose(self.text, Loader=yaml.SafeLoader)
        except yaml.reader.ReaderError as error:
            line = self.text.count("\n", 0, error.position) + 1
            raise _broken(path, [(line, f"the character {chr(error.character)!r} is not allowed in YAML")]) from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            said = ", ".join(part for part in (error.context, error.problem) if part)
            tab = "; indent with spaces, not with tabs" if "'\\t'" in said else ""
            raise _broken(path, [(line, f"not YAML, column {column}: {said}{tab}")]) from None
        if not isinstance(root, yaml.MappingNode):
            found = "the file is empty" if root is None else "the file does not consist of keys and values"
            raise _broken(path, [(1, f"{found}; it needs at least `members:` with a name and a kind each")])
        return self._build(root, ())

    def _scan(self, path: Path) -> None:
        """Refuse aliases, anchors and deep nesting before anything is built of them."""
        depth = 0
        for event in yaml.parse(self.text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            line = event.start_mark.line + 1
            if getattr(event, "anchor", None) is not None:
                raise _broken(path, [(line, "anchors (&) and aliases (*) are not allowed; write the value out")])
            if depth > DEPTH_LIMIT:
                raise _broken(path, [(line, f"nested deeper than {DEPTH_LIMIT} levels")])

    def _build(self, node: yaml.Node, place: _Place) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(place, line)
        if isinstance(node, yaml.SequenceNode) and node.tag == _CORE + "seq":
            return [self._build(item, (*place, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode) and node.tag == _CORE + "map":
            return self._mapping(node, place)
        if not isinstance(node, yaml.ScalarNode):
            self.problems[place] = (line, f"{_path(place)}: the tag {_show(node.tag)} is not allowed")
            return None
        kind = node.tag.removeprefix(_CORE)
        self.shown[place] = _show(node.value) if kind in ("str", "null") else _show(node.value)[1:-1]
        self.shown[place] += " (false or true in YAML unless quoted)" * (kind == "bool")
        return self._scalar(node, place, line)

    def _mapping(self, node: yaml.MappingNode, place: _Place) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self.problems[(*place, "?")] = (line, f"{_path(place)}: a key must be a plain word")
            elif key.value in data:
                first, here = self.lines[(*place, key.value)], _path((*place, key.value))
                self.problems[(*place, key.value, "twice")] = (line, f"{here} is given twice, first on line {first}")
            else:
                self.lines[(*place, key.value)] = line
                data[key.value] = self._build(value, (*place, key.value))
        return data

    def _scalar(self, node: yaml.ScalarNode, place: _Place, line: int) -> Any:
        if node.tag == _CORE + "timestamp":
            return node.value
        try:
            if node.tag in {_CORE + kind for kind in ("str", "int", "float", "bool", "null")}:
                value = self._scalars.construct_object(node)
                if value == value and value not in (float("inf"), float("-inf")):
                    return value
            said = "is not a finite number" if node.tag == _CORE + "float" else f"has the tag {_show(node.tag)}"
        except (ValueError, KeyError, yaml.YAMLError):
            said = f"is not of the kind {node.tag.removeprefix(_CORE)}"
        self.problems[place] = (line, f"{_path(place)}: {_show(node.value)} {said}")
        return None


def _explain(error: ValidationError, reader: _Reader) -> dict[_Place, tuple[int, str]]:
    """Each of pydantic's complaints as a line number and a sentence, one per key path."""
    found: dict[_Place, tuple[int, str]] = {}
    for problem in error.errors(include_url=False):
        place, allowed = _field(problem["loc"])
        shown = reader.shown.get(place) or _show(problem["input"])
        at = next(reader.lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in reader.lines)
        if problem["type"] == "extra_forbidden":
            text = f"{_path(place)}: unknown key{allowed.describe(place[-1])}"
        elif problem["type"] == "missing":
            text = f"{_path(place)} is missing{allowed.describe('')}"
        elif place == ("members",) and problem["type"] == "value_error" and problem["input"]:
            at, text = _twice(problem["input"], reader)
        else:
            text = f"{_path(place)}: {shown} is not allowed{allowed.describe(problem['input'])}"
        found.setdefault(place, (at, text))
    return found


def _field(loc: _Place) -> tuple[_Place, Allowed]:
    """The key path a complaint is about, without pydantic's own additions, and what may stand there."""
    model: type[BaseModel] = Config
    for end, part in enumerate(loc, 1):
        if isinstance(part, int):
            continue
        names = tuple(model.model_fields)
        if part not in names:
            return loc[:end], _one_of(*names)
        field = model.model_fields[part]
        inner = [kind for kind in (field.annotation, *get_args(field.annotation)) if _is_model(kind)]
        if not inner or end == len(loc) or (end + 1 == len(loc) and isinstance(loc[end], int)):
            allowed = next(extra for extra in field.metadata if isinstance(extra, Allowed))
            return loc[: len(loc) if inner else end], allowed
        model = inner[0]
    return loc, Allowed()


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _twice(members: object, reader: _Reader) -> tuple[int, str]:
    """Where the second member of a name stands."""
    names: dict[object, int] = {}
    for index, member in enumerate(members if isinstance(members, list) else []):
        name, here = member["name"], reader.lines[("members", index, "name")]
        if name in names:
            return here, f"members[{index}].name: {_show(name)} is already the name of the member on line {names[name]}"
        names[name] = here
    return 1, "members: two members have the same name"


def _path(place: _Place) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{_plain(part)}" for part in place)
    return "".join(parts).removeprefix(".") or "the file"


def _plain(key: str) -> str:
    return key if re.fullmatch(r"[\w-]{1,40}", key, re.ASCII) else _show(key)


def _show(value: object) -> str:
    """A value as an error shows it: escaped, on one line, not longer than 60 characters."""
    if value is None or value == "":
        return "nothing"
    text = ascii(value) if isinstance(value, str) else ascii(value).replace("\n", " ")
    return text if len(text) <= 60 else text[:59] + "…"


def _meant(value: object, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(value), list(names), 1)
    return f". Did you mean {close[0]}?" if close else ""
