"""Help is complete, cheap and current."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from council.cli import COMMANDS, cli, docs

ROOT = Path(__file__).parents[2]
HEAVY = [
    "torch",
    "litellm",
    "langgraph",
    "openai",
    "anthropic",
    "optuna",
    "pydantic",
    "git",
    "yaml",
    "sqlite_utils",
    "rich",
    "numpy",
]


def _command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_to_paste(name, flag):
    result = CliRunner().invoke(cli, [name, flag])
    assert result.exit_code == 0 and f"  council {name}" in result.stdout.split("Example:")[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_their_help_says(name):
    assert (_command(name).help or "").splitlines()[0] == COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name):
    options = [p for p in _command(name).params if isinstance(p, click.Option)]
    assert [p.name for p in options if not p.help] == []


def test_the_page_of_the_command_line_is_current():
    assert (ROOT / docs.FILE).read_text(encoding="utf-8") == docs.page(), "run: python -m council.cli.docs"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name):
    assert f"## council {name}\n" in (ROOT / docs.FILE).read_text(encoding="utf-8")


def test_the_command_line_imports_nothing_heavy():
    code = f"import sys, council.cli; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_imports_no_command():
    code = (
        "import sys\nfrom council.cli import COMMANDS, cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass\n"
        "print([c for c in COMMANDS if f'council.cli.{c}' in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]" and "leaderboard" in done.stdout


def test_help_costs_at_most_four_times_importing_click():
    def best(code: str) -> float:
        times = []
        for _ in range(7):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], capture_output=True)
            times.append(time.perf_counter() - start)
        return min(times)

    shown = best("import sys; sys.argv = ['council', '--help']; from council.cli import main; main()")
    assert shown <= 4 * best("import click")


def test_version_is_the_packages():
    from council import __version__

    assert CliRunner().invoke(cli, ["--version"]).stdout == f"council {__version__}\n"


def test_an_unknown_command_names_the_nearest():
    result = CliRunner().invoke(cli, ["stauts"])
    assert result.exit_code == 2 and "council status" in result.stderr


def test_a_reader_that_leaves_is_no_error(tmp_path):
    code = "from council.cli import main; main()"
    shell = f"{sys.executable} -c '{code}' --help | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
    assert done.stdout.strip() == "0" and done.stderr == ""
