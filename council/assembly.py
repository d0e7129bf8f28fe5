"""Who is here: members, judges and the executor, built from council.yaml.

Judges are the members that vote, fixed when the session opens: the LLM members if at least two are present, else all.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from inspect import Parameter, signature

from council.config import Config
from council.config_members import MemberConfig
from council.config_yaml import Place, Source
from council.errors import ConfigError
from council.executors import EXECUTORS
from council.executors.base import Executor
from council.members import load
from council.members.base import Member

COMMON = ("name", "model")
"""What every class of member takes; a model has a key of its own in council.yaml."""


def members_of(config: Config, *, offline: bool) -> tuple[dict[str, Member], dict[str, str]]:
    """(members present by name, why each of the others is absent). Raises ConfigError for one that cannot be made."""
    present: dict[str, Member] = {}
    absent: dict[str, str] = {}
    for index, entry in enumerate(config.members):
        member = _made(config.source, ("members", index), entry)
        if offline and member.needs_network:
            absent[entry.name] = "needs the network, and the run is offline"
        elif reason := _absent(config.source, ("members", index), member):
            absent[entry.name] = reason
        else:
            present[entry.name] = member
    return present, absent


def _made(source: Source, place: Place, entry: MemberConfig) -> Member:
    """The member of an entry. Its class may be a stranger's, so whatever it raises is told with file and line."""
    given = entry.arguments()
    try:
        found = load(entry.kind)
    except ConfigError as error:
        raise source.wrong((*place, "kind"), error.message, error.hint) from error
    takes, options = signature(found).parameters, (*place, "options")
    strange = [key for key in given if key == "name" or key not in takes]
    if strange and not any(parameter.kind is Parameter.VAR_KEYWORD for parameter in takes.values()):
        at = (*options, strange[0]) if strange[0] in entry.options else (*place, strange[0])
        known = ", ".join(key for key in takes if key not in COMMON) or "none"
        raise source.wrong(at, f"a member of kind {entry.kind} takes no {strange[0]}; its options: {known}")
    try:
        return found(entry.name, **given)
    except ConfigError as error:
        raise source.wrong(place, error.message, error.hint) from error
    except Exception as error:
        said = f"a member of kind {entry.kind} cannot be made of these: {type(error).__name__}: {error}"
        raise source.wrong(options if entry.options else (*place, "kind"), said) from error


def _absent(source: Source, place: Place, member: Member) -> str | None:
    try:
        return member.absent()
    except ConfigError as error:
        raise source.wrong(place, error.message, error.hint) from error


def judges_of(members: Mapping[str, Member]) -> tuple[str, ...]:
    """The names of the members that vote."""
    llms = tuple(sorted(name for name, m in members.items() if m.is_llm))
    return llms if len(llms) >= 2 else tuple(sorted(members))


def executor_of(config: Config) -> Executor:
    """The executor council.yaml names."""
    module, _, name = EXECUTORS[config.executor.kind].partition(":")
    made: Executor = getattr(import_module(module), name)()
    return made
