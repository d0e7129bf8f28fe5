"""Members: who proposes and who votes.

What: `load` finds the class behind a kind of member. Why: built-ins come through the same door as third parties, and
none is imported before it is used. How to extend: write a subclass of `council.members.base.Member` and name it in
`council.yaml` as `kind: package.module:Class`, or register it under the entry point group `council.members`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from council.errors import ConfigError

if TYPE_CHECKING:
    from council.members.base import Member

__all__ = ["BUILTIN", "GROUP", "known", "load"]

GROUP = "council.members"
"""The entry point group that third parties register under."""

BUILTIN = {
    "random": "council.members.random:RandomMember",
    "optuna": "council.members.optuna:OptunaMember",
    "textbook": "council.members.textbook:TextbookMember",
    "anthropic": "council.members.anthropic:AnthropicMember",
    "openai": "council.members.openai:OpenAIMember",
    "litellm": "council.members.litellm:LiteLLMMember",
}
"""Short name → where the class is."""


def known() -> dict[str, str]:
    """Every kind that can be named here, with the place of its class. A built-in cannot be shadowed."""
    from importlib.metadata import entry_points

    return {point.name: point.value for point in entry_points(group=GROUP)} | BUILTIN


def load(kind: str) -> type[Member]:
    """The class of a kind: a built-in, an entry point, or a dotted path `package.module:Class`."""
    where = BUILTIN.get(kind) or (kind if ":" in kind else known().get(kind))
    if where is None:
        raise _unknown(kind)
    module, _, name = where.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:  # its module is a stranger's code and may raise anything
        told = f"{type(error).__name__}: {error}"
        raise ConfigError(f"the member kind {kind!r} cannot be loaded: {told}", hint=_choices()) from error
    from council.members.base import Member

    if not (isinstance(found, type) and issubclass(found, Member)):
        raise ConfigError(f"{where} is not a subclass of council.members.base.Member", hint=_choices())
    return found


def _unknown(kind: str) -> ConfigError:
    import difflib

    near = difflib.get_close_matches(kind, known(), n=1)
    guess = f", did you mean {near[0]!r}?" if near else ""
    return ConfigError(f"there is no member kind {kind!r}{guess}", hint=_choices())


def _choices() -> str:
    return f"known kinds: {', '.join(sorted(known()))}; or a dotted path such as my_package.members:MyMember"
