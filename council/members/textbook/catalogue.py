"""What a textbook edit is, and how one is written down.

What: `TextbookEdit` with its title, hypothesis, family, prior and rewriting function; `edit` makes one of a function,
`scaled` one of a factor. Why: each edit reads like an entry of a textbook, beside the others of its kind. How to
extend: write a function over `Code` under `@edit(...)` in one of the modules here; `council.members.textbook` finds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from council import syntax
from council.members.textbook.rewrite import Code, NoFit


@dataclass(frozen=True)
class TextbookEdit:
    """One edit. `prior` is the honest guess that it beats the book of an average night, before any was measured."""

    title: str
    hypothesis: str
    family: str
    prior: float
    rewrite: Callable[[Code], None]

    def apply(self, source: str, device: str = "cpu") -> str | None:
        """The source after the edit; None where it does not apply."""
        try:
            code = Code(source, device)
            self.rewrite(code)
            code.commit()
        except (NoFit, syntax.Unparsable):
            return None
        return code.source if code.source != source else None


def edit(title: str, family: str, prior: float, hypothesis: str) -> Callable[[Callable[[Code], None]], TextbookEdit]:
    """Make an edit of the rewriting function below."""
    return lambda rewrite: TextbookEdit(title, hypothesis, family, prior, rewrite)


def scaled(
    name: str,
    factor: float,
    title: str,
    family: str,
    prior: float,
    hypothesis: str,
    *,
    low: float = 0.0,
    high: float = 1e9,
) -> TextbookEdit:
    """An edit that multiplies one constant, where the result lies within `low` and `high`."""

    def rewrite(code: Code) -> None:
        old = code.constant(name)
        new = round(old * factor) if isinstance(old, int) else float(f"{old * factor:.3g}")
        if not low <= new <= high:
            raise NoFit
        code.set_constant(name, new)

    return TextbookEdit(title, hypothesis, family, prior, rewrite)


def setting(name: str, value: float, title: str, family: str, prior: float, hypothesis: str) -> TextbookEdit:
    """An edit that sets one constant to a value it does not have."""
    return TextbookEdit(title, hypothesis, family, prior, lambda code: code.set_constant(name, value))


def edits_of(module: ModuleType) -> tuple[TextbookEdit, ...]:
    """The edits a module defines, in order."""
    return tuple(value for value in vars(module).values() if isinstance(value, TextbookEdit))
