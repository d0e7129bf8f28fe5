"""What `council doctor` says of each language model: its window, its price, its key; `--online` asks it for a token.

Nothing here prints a key or a part of one. How to extend: a fact of a model is one more phrase in `_facts`.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from council.cli.checks import Check, lab_root
from council.errors import CouncilError

if TYPE_CHECKING:
    from council.members.llm import LLMMember


def models(folder: Path, *, online: bool) -> list[Check]:
    """One check per member behind a provider, in the order of council.yaml."""
    from council.config import load
    from council.members import load as kind
    from council.members.llm import LLMMember

    try:
        config = load(lab_root(folder) / "council.yaml")
        made = [found(m.name, **m.arguments()) for m in config.members if issubclass(found := kind(m.kind), LLMMember)]
    except Exception:  # a class may be a stranger's
        return []  # the check of the members says what is wrong
    return [_check(member, online) for member in made]


def _check(member: LLMMember, online: bool) -> Check:
    name = f"model {member.name}"
    try:
        missing, facts = member.absent(), _facts(member)
    except CouncilError as error:
        return Check(name, "missing", error.message, error.hint)
    if missing:
        return Check(name, "note", f"{facts}; absent: {missing}", f"export {member.secrets()[0]}=… before the run")
    return _asked(member, name, facts) if online else Check(name, "ok", facts)


def _facts(member: LLMMember) -> str:
    price, facts = member.price(), member.facts
    dollars = f"${price.input * 1e6:.2f} in, ${price.output * 1e6:.2f} out per million tokens"
    known = f"window {facts.window:,} tokens" + ("" if facts.listed else " (assumed; `window: …` says otherwise)")
    return f"{member.model_name}, {known}, {dollars}"


def _asked(member: LLMMember, name: str, facts: str) -> Check:
    from council.members.provider import Failure

    began = time.monotonic()
    try:
        asyncio.run(member.ping())
    except Failure as failure:
        return Check(name, "missing", f"{facts}; it does not answer: {failure}", "Check key, model name and address.")
    return Check(name, "ok", f"{facts}; answered in {time.monotonic() - began:.1f} s")
