"""Who may import whom: layers, families, `lab` and `council` apart, and one door per library.

A failure names file and line. A new module of `council/` takes its place in LAYERS; a new library with a door takes a
line in DOORS and one in pyproject's banned-api.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

LAYERS = (
    ("types", "errors", "events"),
    (
        *("config", "config_members", "config_yaml", "repo", "repo_start", "repo_text", "repo_worktree", "lock"),
        *("edit", "syntax", "tokens", "redact", "store"),
    ),
    ("members", "judge", "executors", "guard"),
    (
        *("records", "room", "brief", "debated", "proposing", "voting", "running", "settling"),
        *("assembly", "baseline", "live", "audit", "calls", "spend", "learned", "refit", "closing", "stops"),
        *("simulate", "simulate_night", "simulate_picks", "simulate_table", "simulate_world"),
        *("deliberation", "experiment", "session", "plan", "past", "pace", "terms"),
        *("replay", "exam", "importing", "loading"),
    ),
    ("views",),
    ("ui", "web", "cli", "__main__"),
    ("testing",),
)
"""The modules of `council`, lowest first. A module imports its own layer and those below; `testing` may import all."""

FAMILIES = LAYERS[2]
"""These never import one another."""

PURE = ("judge",)
"""These import words alone: no store, no git, no configuration."""

DOORS = {
    "altair": ("council/ui/charts.py",),
    "anthropic": ("council/members/anthropic.py",),
    "datasette": ("council/web/*",),
    "git": ("council/repo.py",),
    "langgraph": ("council/deliberation.py", "council/experiment.py"),
    "litellm": ("council/members/litellm.py",),
    "openai": ("council/members/openai.py",),
    "optuna": ("council/members/optuna.py",),
    "pydantic": ("council/config.py", "council/config_members.py"),
    "ray": ("council/executors/ray.py",),
    "rich": ("council/ui/*",),
    "rustbpe": ("lab/tokenizer.py",),
    "sqlite3": ("council/store/*",),
    "sqlite_utils": ("council/store/*",),
    "tiktoken": ("council/tokens.py", "lab/tokenizer.py"),
    "torch": ("lab/*",),
    "vl_convert": ("council/ui/charts.py",),
    "yaml": ("council/config_yaml.py",),
}
"""Each library, and the only files that import it."""


@dataclass(frozen=True)
class Import:
    """One imported module, and where."""

    path: str
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.module}"


def imports_of(root: Path, path: Path) -> Iterator[Import]:
    """Every import of a file, also those inside functions and under TYPE_CHECKING."""
    where = path.relative_to(root)
    package = list(where.parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(where))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            # `from council import session` imports a module, `from council.session import run` a name of one
            names = [f"{stem}.{alias.name}" if stem in ("council", "lab") else stem for alias in node.names]
        else:
            continue
        for name in dict.fromkeys(names):
            yield Import(str(where), node.lineno, name)


def sources(root: Path) -> list[Path]:
    """Every Python file of the two packages."""
    return sorted(path for package in ("council", "lab") for path in (root / package).rglob("*.py"))


def unit_of(module: str) -> str | None:
    """The name in LAYERS a dotted module belongs to; None for `council` itself, its version, and other packages."""
    parts = module.split(".")
    return parts[1] if parts[0] == "council" and len(parts) > 1 and not parts[1].startswith("__v") else None


def unit_of_path(path: str) -> str | None:
    """The same for a file; None outside `council/` and for `council/__init__.py`."""
    parts = Path(path).with_suffix("").parts
    return parts[1] if parts[0] == "council" and parts[1] != "__init__" else None


def layer_of(unit: str) -> int:
    """Which layer a unit stands in. Raises KeyError if it stands in none."""
    for number, units in enumerate(LAYERS):
        if unit in units:
            return number
    raise KeyError(unit)


def layer_faults(root: Path) -> list[str]:
    """What breaks the order of the layers, in words."""
    faults = []
    for path in sources(root):
        unit = unit_of_path(str(path.relative_to(root)))
        if unit is not None and not any(unit in units for units in LAYERS):
            faults.append(f"{path.relative_to(root)}:1 has no layer; place {unit!r} in LAYERS of tests/test_layers.py")
            continue
        for found in imports_of(root, path):
            faults += _fault(root, unit, found)
    return faults


def _fault(root: Path, unit: str | None, found: Import) -> list[str]:
    top, target = found.module.split(".")[0], unit_of(found.module)
    if {found.path.split("/")[0], top} == {"council", "lab"}:
        return [f"{found}: lab and council never import each other, they speak through a process"]
    if top != "council" or target is None or target == unit:
        return []
    if not any(target in units for units in LAYERS):
        return [f"{found}: no layer holds {target!r}; place it in LAYERS of tests/test_layers.py"]
    if unit is None:
        return [f"{found}: council/__init__.py imports nothing, so that importing the package costs nothing"]
    if layer_of(target) > layer_of(unit):
        return [f"{found}: upward, from layer {layer_of(unit)} to layer {layer_of(target)}"]
    if unit in FAMILIES and target in FAMILIES:
        return [f"{found}: {', '.join(FAMILIES)} never import one another"]
    if unit in PURE and layer_of(target) > 0:
        return [f"{found}: {unit} is pure and imports words alone ({', '.join(LAYERS[0])})"]
    return []


def door_faults(root: Path) -> list[str]:
    """What imports a library elsewhere than at its door, in words."""
    faults = []
    for path in sources(root):
        for found in imports_of(root, path):
            doors = DOORS.get(found.module.split(".")[0])
            if doors and not any(fnmatch(found.path, door) for door in doors):
                faults.append(f"{found}: its door is {' or '.join(doors)}")
    return faults


def test_nothing_imports_upward() -> None:
    faults = layer_faults(ROOT)
    assert not faults, "\n" + "\n".join(faults)


def test_each_library_has_one_door() -> None:
    faults = door_faults(ROOT)
    assert not faults, "\n" + "\n".join(faults)


def test_nobody_imports_the_file_that_members_edit() -> None:
    # `council init` copies it as a file and the box runs it; a process that imported it would run edited code.
    imports = (i for path in sources(ROOT) for i in imports_of(ROOT, path))
    faults = [str(i) for i in imports if f"{i.module}.".startswith("lab.train.")]
    assert not faults, "\n" + "\n".join(faults)


def test_ruff_bans_what_has_a_door() -> None:
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert set(ruff["flake8-tidy-imports"]["banned-api"]) == set(DOORS)


@pytest.mark.parametrize(
    ("where", "line", "said"),
    [
        ("council/store/planted.py", "from council.session import run", "upward"),
        ("council/types.py", "import council.repo", "upward"),
        ("council/config.py", "from council import views", "upward"),
        ("council/store/planted.py", "from ..cli import main", "upward"),
        ("council/members/planted.py", "from council.judge import borda", "never import one another"),
        ("council/judge/planted.py", "from council.store import Store", "pure"),
        ("council/planted.py", "import json", "place 'planted' in LAYERS"),
        ("council/session.py", "from lab.bpb import bpb", "through a process"),
        ("lab/planted.py", "import council.types", "through a process"),
        ("council/__init__.py", "from council.session import run", "imports nothing"),
        ("council/views/planted.py", "from council.testing import scripted", "upward"),
    ],
)
def test_a_planted_import_is_found(tmp_path: Path, where: str, line: str, said: str) -> None:
    copy = plant(tmp_path, where, f"def later():\n    {line}\n")
    faults = [fault for fault in layer_faults(copy) if fault.startswith(f"{where}:")]
    assert len(faults) == 1 and said in faults[0], faults


@pytest.mark.parametrize("library", sorted(DOORS))
def test_a_planted_library_is_found(tmp_path: Path, library: str) -> None:
    copy = plant(tmp_path, "council/errors.py", f"import {library}.part as part\n")
    assert [fault.split(":")[:2] for fault in door_faults(copy)] == [["council/errors.py", f"1 imports {library}.part"]]


def plant(tmp_path: Path, where: str, text: str) -> Path:
    """A copy of the two packages with every import cleared, and one file of the given text."""
    for path in sources(ROOT):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("")
    (tmp_path / where).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / where).write_text(text)
    return tmp_path
