"""The door to council.yaml: what a session is told, checked before anything runs.

Why: a night that dies at round 40 of a typing error is lost, so every error is reported at once, before the start, with
file, line, key, value and what is allowed. `council/config_yaml.py` reads the file, pydantic checks it. How to extend:
add a field with an `Allowed`, in the same change as the code that makes it work; what a member may be given stands in
`council/config_members.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, PrivateAttr, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from council.config_members import DOTTED, Allowed, MemberConfig, Section, one_of
from council.config_yaml import Place, Reader, Source, broken, line_of, path_of, show, text_of
from council.errors import ConfigError

RULES = ("forecast", "borda", "schulze")
"""The rules that come with the council; they make a pick of the ballots."""
_LIST = "allowed: a list of at least one {name, kind}"

_INSIDE = re.compile(r"(?!/|(.*/)?\.\.(/|$)).*\S.*").fullmatch
_FILE = Allowed("the path of a file inside the repository", test=_INSIDE)
_PAIRS: Callable[[object], object] = lambda value: re.fullmatch(r"auto|\d{1,2}|[1-9]\+[1-9]", str(value))  # noqa: E731
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
    _source: Source = PrivateAttr(default_factory=Source)

    @property
    def source(self) -> Source:
        """Where it was read: what is loaded later is refused with file and line too."""
        return self._source

    @field_validator("members")
    @classmethod
    def _distinct(cls, members: tuple[MemberConfig, ...]) -> tuple[MemberConfig, ...]:
        names = [member.name for member in members]
        twice = [index for index, name in enumerate(names) if name in names[:index]]
        if twice or not members:
            said = "two members have this name" if twice else _LIST
            raise PydanticCustomError("allowed", "{said}", {"said": said, "at": [(n, "name") for n in twice[:1]]})
        return members

    def _read_from(self, source: Source) -> Config:
        self._source = source
        return self

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
            return Config.model_validate(data)._read_from(self._source)
        except ValidationError as error:
            wrong = [
                f"--{str(e['loc'][-1]).replace('_', '-')}: {show(e['input'])} is not allowed; {e['msg']}"
                for e in error.errors()
            ]
            raise ConfigError("\n".join(wrong)) from None


def to_public(config: Config) -> dict[str, Any]:
    """The configuration as plain data for the store; it holds no secret."""
    return config.model_dump(mode="json")


def load(path: Path) -> Config:
    """Read and check council.yaml; everything that is wrong with it becomes one ConfigError."""
    reader = Reader(path, text_of(path))
    try:
        config = Config.model_validate(reader.read())
    except ValidationError as error:
        raise broken(path, {**_explain(error, reader), **reader.problems}.values()) from None
    if reader.problems:
        raise broken(path, reader.problems.values())
    return config._read_from(Source(path, reader.lines))


def _explain(error: ValidationError, reader: Reader) -> dict[Place, tuple[int, str]]:
    """Each of pydantic's complaints as a line number and a sentence, one per key path."""
    found: dict[Place, tuple[int, str]] = {}
    for problem in error.errors(include_url=False):
        kind, place = problem["type"], problem["loc"] + tuple(*problem.get("ctx", {}).get("at", ()))
        shown = reader.shown.get(place) or show(problem["input"], place)
        if kind == "extra_forbidden":
            text = f"{path_of(place)}: unknown key; {one_of(*_keys(place[:-1])).describe(place[-1])}"
        elif kind == "missing":
            text = f"{path_of(place)} is missing"
        else:
            other = _LIST if place == ("members",) else "allowed: keys and values"
            text = f"{path_of(place)}: {shown} is not allowed; {problem['msg'] if kind == 'allowed' else other}"
        found.setdefault(place, (line_of(place, reader.lines), text))
    return found


def _keys(place: Place) -> tuple[str, ...]:
    model: Any = Config
    for part in place:
        kind = model.model_fields[part].annotation if isinstance(part, str) else model
        model = (get_args(kind) or (kind,))[0]
    return tuple(model.model_fields)
