"""The command line starts fast: nothing heavy is imported before it is needed. `__all__` is right where it stands."""

from __future__ import annotations

import ast
import importlib
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.test_layers import ROOT, sources

HEAVY = ("anthropic", "datasette", "git", "langgraph", "litellm", "numpy", "openai", "optuna", "pydantic", "torch")
"""Each costs from a tenth of a second to seconds."""

HELP_OVER_CLICK = 4.0
"""`council --help` may take this many times as long as `import click`."""

HELP_THEN_MODULES = """
import sys, council.cli
try:
    council.cli.main(["--help"])
except SystemExit:
    print("LOADED", *sys.modules)
"""


def run(*command: str) -> str:
    """What a command prints; a failure shows what it said."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    code = "import sys, council.cli; print(callable(council.cli.main), *sys.modules)"
    main, *modules = run(sys.executable, "-c", code).split()
    assert main == "True"
    assert not set(HEAVY) & set(modules)


def test_help_loads_nothing_heavy() -> None:
    modules = run(sys.executable, "-c", HELP_THEN_MODULES).rpartition("LOADED")[2].split()
    assert modules and not set(HEAVY) & set(modules)


def test_help_is_fast() -> None:
    council = Path(sys.executable).with_name("council")
    assert council.exists(), "the console script is not installed; run `make setup`"
    commands = {"help": (str(council), "--help"), "click": (sys.executable, "-c", "import click")}
    ratios = []
    for _ in range(3):  # a busy machine gets two more chances
        ratios.append(measured_ratio(commands))
        if ratios[-1] <= HELP_OVER_CLICK:
            return
    pytest.fail(f"`council --help` takes {min(ratios):.1f} × as long as `import click`; {HELP_OVER_CLICK} are allowed")


def measured_ratio(commands: dict[str, tuple[str, ...]]) -> float:
    """Median seconds of `help` over those of `click`, run by turns so that both meet the same machine."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(8):
        for name, command in commands.items():
            start = time.perf_counter()
            run(*command)
            if turn:  # the first warms the caches
                seconds[name].append(time.perf_counter() - start)
    return statistics.median(seconds["help"]) / statistics.median(seconds["click"])


def modules_with_all() -> dict[str, list[str]]:
    """Each module that defines `__all__`, with what it lists."""
    found = {}
    for path in sources(ROOT):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
                found[name] = list(ast.literal_eval(node.value))
    return found


def test_all_names_what_there_is() -> None:
    faults = []
    for name, listed in modules_with_all().items():
        module = importlib.import_module(name)
        faults += [f"{name}.__all__ lists {item!r}, which is not there" for item in listed if not hasattr(module, item)]
        if len(set(listed)) != len(listed):
            faults.append(f"{name}.__all__ lists a name twice")
    assert not faults, "\n".join(faults)
