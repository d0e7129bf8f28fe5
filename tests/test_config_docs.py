"""docs/config.md names every key of council.yaml with its default, no other, and its examples work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from council.config import Config, load
from council.config_members import PROVIDERS
from council.members import load as kind

ROW = re.compile(r"^\| `([a-z_.\[\]]+)` \| [^|]+ \| (?:`([^|]+)` |(required) |)\| [^|]+ \|$", re.MULTILINE)
"""A line of a table: the key, and its default."""


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every key below a model as (dotted path, default as the table writes it)."""
    for name, field in model.model_fields.items():
        inner, listed = section(field.annotation)
        default = "required" if field.is_required() else written(field.get_default())
        yield prefix + name, default
        if inner:
            yield from keys(inner, f"{prefix}{name}[]." if listed else f"{prefix}{name}.")


def section(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """(the model inside an annotation if there is one, whether it is a list of them)."""
    found = [a for a in (annotation, *get_args(annotation)) if isinstance(a, type) and issubclass(a, BaseModel)]
    return (found[0] if found else None), Ellipsis in get_args(annotation)


def written(default: object) -> str:
    if isinstance(default, BaseModel):
        return ""
    return "null" if default is None else str(default)


@pytest.fixture
def text(root: Path) -> str:
    return (root / "docs" / "config.md").read_text()


def test_every_key_is_told_with_its_default_and_no_other(text: str) -> None:
    told = [(key, default or word) for key, default, word in ROW.findall(text)]
    assert sorted(told) == sorted(keys(Config))


def test_the_examples_work_and_show_every_provider(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    (tmp_path / "council.yaml").write_text(example)
    members = load(tmp_path / "council.yaml").members
    assert {member.kind for member in members} == set(PROVIDERS)
    for entry, line in zip(members, example.splitlines()[1:], strict=True):
        member = kind(entry.kind)(entry.name, **entry.arguments())
        needs = re.findall(r"# ([A-Z_]+)$", line)
        assert member.absent() == (f"{needs[0]} is not set" if needs else None)
        for variable in needs:
            monkeypatch.setenv(variable, "a key")
        assert member.absent() is None  # and its price is known
