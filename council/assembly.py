"""Who is here: members, judges and the executor, built from council.yaml.

Judges are the members that vote, fixed when the session opens: the LLM members if at least two are present, else all.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from council.config import Config
from council.errors import ConfigError
from council.executors import EXECUTORS
from council.executors.base import Executor
from council.members import load
from council.members.base import Member


def members_of(config: Config, *, offline: bool) -> tuple[dict[str, Member], dict[str, str]]:
    """(members present by name, why each of the others is absent)."""
    present: dict[str, Member] = {}
    absent: dict[str, str] = {}
    for entry in config.members:
        found, given = load(entry.kind), entry.arguments()
        try:
            member = found(entry.name, **given)
        except TypeError as error:
            raise ConfigError(f"member {entry.name}: {sorted(given)} do not fit {entry.kind}: {error}") from error
        if offline and member.needs_network:
            absent[entry.name] = "needs the network, and the run is offline"
        elif reason := member.absent():
            absent[entry.name] = reason
        else:
            present[entry.name] = member
    return present, absent


def judges_of(members: Mapping[str, Member]) -> tuple[str, ...]:
    """The names of the members that vote."""
    llms = tuple(sorted(name for name, m in members.items() if m.is_llm))
    return llms if len(llms) >= 2 else tuple(sorted(members))


def executor_of(config: Config) -> Executor:
    """The executor council.yaml names."""
    module, _, name = EXECUTORS[config.executor.kind].partition(":")
    made: Executor = getattr(import_module(module), name)()
    return made
