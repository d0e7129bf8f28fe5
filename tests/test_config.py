"""council.yaml: what works as shipped, and what every mistake in it is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from council import config_members as door
from council.config import Config, load, to_public
from council.errors import ConfigError

MEMBERS = "members: [{name: a, kind: random}, {name: b, kind: textbook}]\n"


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "council.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def complaints(tmp_path: Path, text: str | bytes) -> list[str]:
    """What is said of a file, line by line, without its path."""
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load(path)
    assert error.value.exit_code == 2 and error.value.hint
    return [line.removeprefix(f"{path}:") for line in error.value.message.splitlines()]


# --- what works ------------------------------------------------------------------------------------------------------


def test_the_shipped_file_holds_three_models_the_builtins_and_the_defaults(root: Path) -> None:
    shipped = load(root / "council.yaml")
    assert [(member.name, member.kind) for member in shipped.members] == [
        ("opus", "anthropic"),
        ("gpt", "openai"),
        ("gemini", "litellm"),
        ("textbook", "textbook"),
        ("tpe", "optuna"),
        ("random", "random"),
    ]
    assert shipped == Config(members=shipped.members)


def test_members_alone_are_enough(tmp_path: Path) -> None:
    config = load(write(tmp_path, MEMBERS))
    assert (config.program, config.lab.dir, config.lab.corpus, config.lab.budget) == (
        "program.md",
        "lab",
        "auto",
        "auto",
    )
    assert (config.judge.rule, config.stop.rounds, config.executor.kind, config.idle) == (
        "forecast",
        100,
        "local",
        "wait",
    )
    assert (config.judge.p_keep, config.judge.closing_pairs) == (0.5, "auto")
    assert config.members[0].options == {}


def test_every_key_is_read(tmp_path: Path) -> None:
    text = """\ufeff# comment
program: "notes/goal.md"
lab: {dir: lab, corpus: sympy, budget: 1.5, device: cpu, sandbox: none}
members:
  - {name: a.b-c_9, kind: "my_package.members:Mine", options: {depth: 3, tags: [x, null, true], day: 2026-11-20}}
judge: {rule: schulze, p_keep: 0.7, closing_pairs: 3+3}
stop: {rounds: 7}
executor: {kind: local}
idle: wait
"""
    config = load(write(tmp_path, text))
    assert (config.program, config.lab.budget, config.lab.device, config.stop.rounds) == (
        "notes/goal.md",
        1.5,
        "cpu",
        7,
    )
    assert (config.judge.rule, config.judge.p_keep, config.judge.closing_pairs) == ("schulze", 0.7, "3+3")
    assert config.members[0].options == {"depth": 3, "tags": ["x", None, True], "day": "2026-11-20"}


def test_the_public_form_is_json_and_builds_the_same_config(tmp_path: Path) -> None:
    config = load(write(tmp_path, MEMBERS + "lab: {budget: 3}\n"))
    public = json.loads(json.dumps(to_public(config), allow_nan=False))
    assert Config.model_validate(public) == config


def test_a_config_cannot_be_changed(tmp_path: Path) -> None:
    config = load(write(tmp_path, MEMBERS))
    with pytest.raises(Exception, match="frozen"):
        config.idle = "never"  # type: ignore[misc]


def test_kinds_of_third_parties_are_allowed_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "oracle"

    monkeypatch.setattr(door, "entry_points", lambda group: [Point()] if group == "council.members" else [])
    text = "members: [{name: a, kind: oracle}, {name: b, kind: 'not_installed.module:Thing'}]"
    assert [member.kind for member in load(write(tmp_path, text)).members] == ["oracle", "not_installed.module:Thing"]
    assert (
        "allowed: random, optuna, textbook, anthropic, openai, litellm, oracle"
        in complaints(tmp_path, "members: [{name: a, kind: orcale}]")[0]
    )


def test_the_kinds_are_those_that_the_members_know() -> None:
    from council.members import BUILTIN

    assert set(door.KINDS) == set(BUILTIN)


# --- the command line ------------------------------------------------------------------------------------------------


def test_the_command_line_overrides_and_leaves_the_rest(tmp_path: Path) -> None:
    config = load(write(tmp_path, MEMBERS + "lab: {device: cpu}\n"))
    changed = config.override(budget=2.5, rounds=6)
    assert (changed.lab.budget, changed.stop.rounds, changed.lab.device) == (2.5, 6, "cpu")
    assert changed.members == config.members and config.stop.rounds == 100
    assert config.override() == config
    assert config.override(budget="auto").lab.budget == "auto"


@pytest.mark.parametrize("budget", [0, -1.0, float("nan"), float("inf"), "soon", 1e9, True])
def test_a_wrong_budget_is_named_by_its_option(tmp_path: Path, budget: float) -> None:
    with pytest.raises(ConfigError, match="^--budget: .* is not allowed; allowed: auto, or seconds") as error:
        load(write(tmp_path, MEMBERS)).override(budget=budget)
    assert "--rounds" not in error.value.message


def test_two_wrong_options_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load(write(tmp_path, MEMBERS)).override(budget=-1, rounds=0)
    assert [line.split(":")[0] for line in error.value.message.splitlines()] == ["--budget", "--rounds"]


def test_reading_a_config_imports_no_kind_of_member(root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from council.config import load; load(Path('council.yaml')); "
        "sys.exit(' '.join(name for name in sys.modules if name in ('optuna', 'torch', 'git', 'council.members')) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
