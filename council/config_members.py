"""What council.yaml may say of a member, and how any of its values tells what it may be.

What: `MemberConfig` with every key of a member, and `Allowed`, by which a refused value says what is allowed.
Why: a member behind a provider has more keys than the rest of the file together. How to extend: a new key is a field
here that defaults to None and an argument of the members it is for; `arguments` hands over only what was given.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

BUILT_IN = ("random", "optuna", "textbook")
PROVIDERS = ("anthropic", "openai", "litellm")
KINDS = BUILT_IN + PROVIDERS
"""The kinds of member that come with the council; those of `PROVIDERS` are language models."""
OWN_KEYS = {
    "model": "model",
    **dict.fromkeys(("max_tokens", "max_output_tokens", "max_completion_tokens"), "max_tokens"),
    **dict.fromkeys(("api_key", "api_key_env"), "api_key_env"),
    **dict.fromkeys(("api_base", "base_url"), "base_url"),
    **dict.fromkeys(("timeout", "request_timeout"), "timeout"),
    **dict.fromkeys(("n", "best_of", "candidate_count", "stream", "stream_options"), ""),
    **dict.fromkeys(("messages", "input", "system", "instructions", "prompt", "tools"), ""),
    **dict.fromkeys(("max_retries", "num_retries", "fallbacks", "mock_response"), ""),
}
"""What `options` may not say of a provider's request, since the cap on dollars and the record of calls rest on it; and
the key of a member that says it, '' where only the council does."""


def known_kinds() -> tuple[str, ...]:
    """The names a member's kind can have, third parties' included; nothing is imported to find out."""
    return tuple(dict.fromkeys([*KINDS, *sorted(point.name for point in entry_points(group="council.members"))]))


@dataclass(frozen=True)
class Allowed:
    """What a key may hold: a list of names, and what else passes; one text tells both when the value is refused."""

    text: str = ""
    names: Callable[[], tuple[str, ...]] = tuple
    test: Callable[[Any], object] = lambda value: True

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], CoreSchema]) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(self._check, handler(source))

    def _check(self, value: Any, inner: Callable[[Any], Any]) -> Any:
        with suppress(ValidationError):
            checked = inner(value)
            if checked in self.names() or (self.text and self.test(checked)):
                return checked
        raise PydanticCustomError("allowed", "{said}", {"said": self.describe(value)})

    def describe(self, value: object) -> str:
        meant = "".join(f". Did you mean {name}?" for name in difflib.get_close_matches(str(value), self.names(), 1))
        return "allowed: " + ", ".join(part for part in (*self.names(), self.text) if part) + meant


def one_of(*names: str) -> Allowed:
    """Nothing but these names."""
    return Allowed(names=lambda: names)


class Section(BaseModel):
    """A part of the file: fixed keys, values taken as they are written."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*").fullmatch
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}").fullmatch
_URL = re.compile(r"https?://[^\s/?#@]+[^\s?#@]*").fullmatch
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}").fullmatch
_RANDOM = re.compile(r"(?=.*\d)[A-Za-z0-9]{20,}").fullmatch
_MODEL = re.compile(r"\S{1,200}").fullmatch

_WORD = Allowed("1 to 32 of a-z, 0-9, dot, dash and underscore, the first a letter or digit", test=_NAME)
_KIND = Allowed("or a class as package.module:Class", known_kinds, DOTTED)
_OPTIONS = Allowed("keys and values for this kind of member")
_DOLLARS = Allowed("dollars per million tokens, 0 or more")
_EFFORT = Allowed(
    "or a number of tokens to think with, at least 1024",
    lambda: ("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    lambda value: value is None or (isinstance(value, int) and value >= 1024),
)
Dollars = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False), _DOLLARS]


def may_hold_a_key(key: str | int, value: object) -> bool:
    """Whether no error may show the value of this key of a member, since a secret of any shape may stand in it."""
    return OWN_KEYS.get(str(key)) == "api_key_env" or (key == "base_url" and bool(re.search("[@?#]", str(value))))


def _names_a_variable(value: str | None) -> bool:
    """Whether it is such a name and not a key: long, random and without an underscore."""
    return value is None or bool(_VARIABLE(value) and not _RANDOM(value))


class PriceConfig(Section):
    """What a model costs, in dollars per million tokens; `cached_input` is `input` where it is not given."""

    input: Dollars
    output: Dollars
    cached_input: Dollars | None = None


class MemberConfig(Section):
    """One member as the file names it; `options` go to its kind, for a provider's into every request."""

    name: Annotated[str, _WORD]
    kind: Annotated[str, _KIND]
    model: Annotated[str | None, Allowed("a model's name without spaces", test=lambda v: v is None or _MODEL(v))] = None
    reasoning: Annotated[str | int | None, _EFFORT] = None
    base_url: Annotated[
        str | None, Allowed("an address such as http://127.0.0.1:11434", test=lambda v: v is None or _URL(v))
    ] = None
    api_key_env: Annotated[
        str | None,
        Allowed("the name of an environment variable, not the key itself", test=_names_a_variable),
    ] = None
    price: PriceConfig | None = None
    max_tokens: Annotated[
        Annotated[int, Field(ge=256, le=1_000_000)] | None, Allowed("a number of tokens, 256 to 1000000")
    ] = None
    window: Annotated[
        Annotated[int, Field(ge=4096, le=100_000_000)] | None, Allowed("a number of tokens, 4096 to 100000000")
    ] = None
    temperature: Annotated[
        Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None, Allowed("a number from 0 to 2")
    ] = None
    timeout: Annotated[
        Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False)] | None,
        Allowed("seconds for one answer, 1 to 3600"),
    ] = None
    options: Annotated[dict[str, JsonValue], _OPTIONS] = {}

    @model_validator(mode="after")
    def _fits(self) -> MemberConfig:
        given = sorted(self._given())
        if self.kind in PROVIDERS and self.model is None:
            said = f"a member of kind {self.kind} needs a model, for example `model: …`"
            raise PydanticCustomError("allowed", "{said}", {"said": said, "at": [("kind",)]})
        if self.kind in BUILT_IN and given:
            said = f"a member of kind {self.kind} takes no {given[0]}; a provider's would: {', '.join(PROVIDERS)}"
            raise PydanticCustomError("allowed", "{said}", {"said": said, "at": [(given[0],)]})
        if self.kind in PROVIDERS:
            self._leave_to_the_council(self.options, ("options",))
        return self

    def _leave_to_the_council(self, options: dict[str, JsonValue], place: tuple[str, ...]) -> None:
        for key, value in options.items():
            if key in OWN_KEYS:
                own = OWN_KEYS[key]
                instead = f"write {own}: beside name and kind" if own else "the council says it itself"
                said = f"options take no {key}, on which the cap on dollars and the record rest; {instead}"
                raise PydanticCustomError("allowed", "{said}", {"said": said, "at": [(*place, key)]})
            if key == "extra_body" and isinstance(value, dict):
                self._leave_to_the_council(value, (*place, key))

    def _given(self) -> dict[str, Any]:
        own = {"name", "kind", "options"}
        return {key: value for key, value in self.model_dump(exclude=own).items() if value is not None}

    def arguments(self) -> dict[str, Any]:
        """What the class of this kind is made with, besides the name."""
        if self.kind in PROVIDERS:
            return {**self._given(), "options": dict(self.options)}
        return {**self.options, **self._given()}
