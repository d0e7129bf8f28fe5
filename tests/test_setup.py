"""What is installed, and the conventions every file keeps: the lock, pyproject, sizes, annotations, no machine's paths.

A failure names the offender. A changed pin changes here, in requirements.lock and in pyproject.toml.
"""

from __future__ import annotations

import ast
import importlib.metadata
import math
import re
import statistics
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.test_layers import ROOT, sources

PINS = {
    "altair": "6.3.0",
    "anthropic": "2.11.0",
    "certifi": "2026.10.18",
    "click": "8.5.1",
    "datasette": "0.65.5",
    "gitpython": "3.2.1",
    "langchain-core": "1.7.2",
    "langgraph": "1.2.22",
    "litellm": "1.106.2",
    "numpy": "2.4.6",
    "openai": "2.54.0",
    "optuna": "5.0.0",
    "pydantic": "2.14.3",
    "pyyaml": "6.0.3",
    "rich": "15.0.0",
    "rustbpe": "0.1.0",
    "sqlite-utils": "4.2.1",
    "sympy": "1.14.0",
    "tiktoken": "0.14.0",
    "torch": "2.13.0",
    "vl-convert-python": "1.9.0.post1",
}
"""The libraries the design names, at the versions it was made with."""

FILE_LINES, FILE_LINES_MEDIAN = 300, 150
FUNCTION_LINES, FUNCTION_LINES_P90 = 80, 40
LONG_FILES = ("lab/train.py",)
"""May be longer: it reads top to bottom as one experiment."""


def lock_lines() -> list[str]:
    """The lock without comments and empty lines."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def locked() -> dict[str, str]:
    """Every pinned package with its version."""
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lock_lines())}


def pyproject() -> dict:
    """pyproject.toml as data."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


# The lock


def test_the_lock_holds_names_and_versions_alone() -> None:
    shape = re.compile(r"[A-Za-z0-9][\w.-]*==[0-9][\w.]*")
    assert [line for line in lock_lines() if not shape.fullmatch(line)] == []
    text = (ROOT / "requirements.lock").read_text()
    assert [part for part in ("+", "file:", " @ ", "@", "://", "--") if part in text] == []


def test_the_lock_names_each_package_once() -> None:
    assert len(lock_lines()) == len(locked())


def test_the_lock_holds_the_pins() -> None:
    assert {name: locked().get(name) for name in PINS} == PINS


def test_the_lock_is_complete() -> None:
    # What the locked packages need here: other platforms and torch's CUDA packages are the installer's to resolve.
    wanted = [Requirement(text) for text in wanted_of_pyproject()]
    seen, missing = set(), []
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        if name not in locked():
            if name not in ("pip", "triton") and not name.startswith(("nvidia-", "cuda-")):
                missing.append(str(requirement))
            continue
        if not requirement.specifier.contains(locked()[name], prereleases=True):
            missing.append(f"{requirement}, but the lock has {locked()[name]}")
        if (name, *requirement.extras) in seen:
            continue
        seen.add((name, *requirement.extras))
        wanted += requirements_of(name, requirement.extras)
    assert not missing
    assert not set(locked()) - {name for name, *_ in seen} - {"setuptools"}, "nothing needs these"


def wanted_of_pyproject() -> list[str]:
    """What the project and its developers need."""
    data = pyproject()
    project = data["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["dev"], *data["build-system"]["requires"]]


def requirements_of(name: str, extras: set[str]) -> list[Requirement]:
    """What an installed package needs on this machine."""
    needed = []
    for text in importlib.metadata.requires(name) or []:
        requirement = Requirement(text)
        worlds = [{**default_environment(), "extra": extra} for extra in ("", *extras)]
        if requirement.marker is None or any(requirement.marker.evaluate(world) for world in worlds):
            needed.append(requirement)
    return needed


def test_what_is_installed_is_what_the_lock_says() -> None:
    installed = {name: importlib.metadata.version(name).split("+")[0] for name in locked()}
    assert installed == locked(), "run `make setup`"


# The project


def test_pyproject_installs_the_council() -> None:
    project = pyproject()["project"]
    assert project["name"] == "council"
    assert project["scripts"] == {"council": "council.cli:main"}
    assert project["requires-python"] == ">=3.11"
    assert project["license"] == "MIT"
    assert project["optional-dependencies"]["ray"] == ["ray==2.60.0"]
    assert {canonicalize_name(Requirement(text).name) for text in project["dependencies"]} == set(PINS)


def test_the_version_is_the_packages() -> None:
    import council

    assert re.fullmatch(r"\d+\.\d+\.\d+", council.__version__)
    assert importlib.metadata.version("council") == council.__version__, "run `make setup`"


# Sizes, annotations, docstrings


def functions() -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of the two packages with its place."""
    found = []
    for path in sources(ROOT):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.append((f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node))
    return found


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function, from `def` to its last."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_files_are_short() -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in sources(ROOT)}
    long = {name: lines for name, lines in sizes.items() if lines > FILE_LINES and name not in LONG_FILES}
    assert not long, f"more than {FILE_LINES} lines: {long}"
    assert statistics.median(sizes.values()) <= FILE_LINES_MEDIAN


def test_functions_are_short() -> None:
    sizes = {where: length(node) for where, node in functions()}
    long = {where: lines for where, lines in sizes.items() if lines > FUNCTION_LINES}
    assert not long, f"more than {FUNCTION_LINES} lines: {long}"
    p90 = sorted(sizes.values())[math.ceil(len(sizes) * 0.9) - 1]
    assert p90 <= FUNCTION_LINES_P90


def test_functions_are_annotated() -> None:
    faults = []
    for where, node in functions():
        args = node.args
        every = [*args.posonlyargs, *args.args, *args.kwonlyargs, *(arg for arg in (args.vararg, args.kwarg) if arg)]
        bare = [arg.arg for arg in every if arg.annotation is None and arg.arg not in ("self", "cls")]
        if node.returns is None:
            bare.append("return")
        if bare:
            faults.append(f"{where} leaves {', '.join(bare)} without a type")
    assert not faults, "\n" + "\n".join(faults)


def test_modules_open_with_a_docstring() -> None:
    faults = [path for path in sources(ROOT) if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert not faults, [str(path.relative_to(ROOT)) for path in faults]


# What stands in no tracked file

HOSTS = ("pypi" r"\.org", "python" r"hosted\.org", "registry" r"\.npmjs", "deb" r"\.debian\.org", "crates" r"\.io")
FOREIGN = {
    "a path of one machine": re.compile(r"(?<![\w./-])/(?:work|root)/[\w.]"),
    "a host of a package registry": re.compile("|".join(HOSTS), re.IGNORECASE),
}


def tracked() -> list[Path]:
    """Every file git tracks, as long as it is text."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so nothing is tracked")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in names.split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8192]]


def test_no_tracked_file_names_a_machine_or_a_registry() -> None:
    faults = []
    for path in tracked():
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            held = [what for what, found in FOREIGN.items() if found.search(line)]
            faults += [f"{path.relative_to(ROOT)}:{number} holds {what}" for what in held]
    assert not faults, "\n" + "\n".join(faults)


@pytest.mark.parametrize(
    ("line", "held"),
    [
        ("cp /" + "work/main/x .", True),
        ("'/" + "root/.cache'", True),
        ("https://pypi" + ".org/simple", True),
        ("lab/work/x", False),
        ("the root / of it", False),
        ("https://download.pytorch.org/whl/cpu", False),
    ],
)
def test_the_search_for_them_finds_them(line: str, held: bool) -> None:
    assert any(found.search(line) for found in FOREIGN.values()) is held
