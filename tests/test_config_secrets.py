"""A key that was written into council.yaml is refused wherever it stands, and no error shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from council.config import load
from tests.test_config import complaints, write

SHAPED = "sk-proj-" + "b" * 40
"""A key as a provider makes it."""
PLAIN = ("0f3a9c1e5b7d2f4a6c8e0f3a9c1e5b7d", "wJ3kPq8ZtY2mNb5vXc7L", "49af1c20-77aa-4b0e-9d35-0123456789ab")
"""Keys without a shape of their own."""
NAME = "the name of an environment variable, not the key itself"


def told(folder: Path, given: str) -> str:
    """What is said of a member with one more key, at line 2."""
    model = "" if given.startswith("model") else "model: m, "
    (line,) = complaints(folder, f"members:\n- {{name: a, kind: openai, {model}{given}}}\n")
    assert line.startswith("2: members[0].")
    return line


@pytest.mark.parametrize(
    "given",
    [
        f"api_key_env: {SHAPED}",
        f"model: {SHAPED}",
        f"model: {'m' * 45}/{SHAPED}",
        f"base_url: 'https://host/?key={SHAPED}'",
        f"timeout: {SHAPED}",
        f"options: {{a: [x, {SHAPED}]}}",
        f'options: {{a: "line\\n{SHAPED}"}}',
        f"options: {{{SHAPED}: 1}}",
        "options: {extra_headers: {Authorization: Bearer bbbbbbbbbbbbbbbb}}",
        f"{SHAPED}: 1",
    ],
)
def test_what_has_the_shape_of_a_key_is_refused_wherever_it_stands(tmp_path: Path, given: str) -> None:
    line = told(tmp_path, given)
    assert "bbb" not in line and "looks like a key" in line and "api_key_env holds the variable's name" in line


@pytest.mark.parametrize("given", [f"api_key_env: [{SHAPED}]", f"reasoning: !{SHAPED} x"])
def test_no_other_error_shows_one_either(tmp_path: Path, given: str) -> None:
    assert "bbb" not in " ".join(complaints(tmp_path, f"members:\n- {{name: a, kind: openai, model: m, {given}}}\n"))


@pytest.mark.parametrize("key", PLAIN)
def test_where_the_name_of_a_variable_belongs_no_value_is_shown(tmp_path: Path, key: str) -> None:
    line = told(tmp_path, f"api_key_env: {key}")
    assert key not in line and NAME in line


@pytest.mark.parametrize("given", ["options: {api_key: p4ss}", "base_url: 'https://me:p4ss@host'"])
def test_a_value_beside_which_a_secret_stands_is_not_shown(tmp_path: Path, given: str) -> None:
    line = told(tmp_path, given)
    assert "p4ss" not in line and "is not allowed" in line


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "my_key_2", "COUNCIL_OPENAI_API_KEY_NUMBER_2", "KEY2"])
def test_the_name_of_a_variable_is_allowed(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, f"members: [{{name: a, kind: openai, model: m, api_key_env: {name}}}]\n")
    assert load(path).members[0].api_key_env == name
