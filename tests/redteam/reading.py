"""Reads the attacks: what each tries, what must happen to it, and the train.py that it makes."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BASE = (HERE / "base.py").read_text()


@dataclass(frozen=True)
class Attack:
    """One hostile train.py. `must` is harmless, caught, contained, or a status and what its reason contains."""

    name: str
    tries: str
    must: str
    code: str
    budget: float = 10.0
    max_eval_seconds: float = 30.0
    full: bool = False  # on the real corpus, else on random tokens for a few steps
    fill: int = 0  # bytes that it brings along in its source
    tiers: tuple[str, ...] = ()  # only these; empty is all

    def source(self, known: dict[str, Any]) -> bytes:
        """The whole train.py; before the base stands what the attacker is assumed to know."""
        facts = known | ({"EMBEDDED": "x" * self.fill} if self.fill else {})
        told = "\n".join(f"{name} = {value!r}" for name, value in facts.items())
        return f"{told}\n{BASE}\n\n{self.code}".encode()


def read(path: Path) -> Attack:
    """The attack in a file: a docstring with lines `key: value` behind the first, then code."""
    code = path.read_text()
    first, *rest = (ast.get_docstring(ast.parse(code)) or "").split("\n")
    told = dict(line.split(": ", 1) for line in rest if ": " in line)
    return Attack(
        name=path.stem,
        tries=first,
        must=told["must"],
        code=code,
        budget=float(told.get("budget", 10)),
        max_eval_seconds=float(told.get("eval", 30)),
        full=told.get("size") == "full",
        fill=int(told.get("fill", 0)),
        tiers=tuple(told.get("tiers", "").split()),
    )


ATTACKS = tuple(read(path) for path in sorted((HERE / "attacks").glob("*.py")))
