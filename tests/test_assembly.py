"""What only building a member can show is told like any other mistake in council.yaml, with file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from council.assembly import members_of
from council.config import load
from council.errors import ConfigError
from tests.test_config import write

STRANGER = """
from council.members.random import RandomMember

class Wide(RandomMember):
    def __init__(self, name, width, *, depth=1):
        super().__init__(name)
        self.width = int(width)

class Anything(RandomMember):
    def __init__(self, name, **options):
        super().__init__(name)
        self.options = options
"""


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module with members of somebody's own."""
    (tmp_path / "assembly_stranger.py").write_text(STRANGER)
    (tmp_path / "assembly_broken.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "assembly_stranger"


def complaint(folder: Path, member: str) -> str:
    """What is said of the second member, on line 3, without the path of the file."""
    path = write(folder, f"members:\n- {{name: a, kind: random}}\n- {{name: b, {member}}}\n")
    with pytest.raises(ConfigError) as error:
        members_of(load(path), offline=True)
    assert error.value.exit_code == 2 and f"Mend {path}" in error.value.hint
    assert error.value.message.startswith(f"{path}:3: members[1]")
    return error.value.message.removeprefix(f"{path}:3: ")


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ("kind: 'nope.mod:Thing'", "members[1].kind: the member kind 'nope.mod:Thing' cannot be loaded"),
        ("kind: 'json:JSONDecoder'", "members[1].kind: json:JSONDecoder is not a subclass of council.members.base"),
        ("kind: 'assembly_broken:A'", "members[1].kind: the member kind 'assembly_broken:A' cannot be loaded: ZeroDiv"),
        (
            "kind: random, options: {foo: 1}",
            "members[1].options.foo: a member of kind random takes no foo; its options",
        ),
        ("kind: random, options: {name: x}", "members[1].options.name: a member of kind random takes no name"),
        (
            "kind: 'assembly_stranger:Wide', options: {width: 1, deep: 2}",
            "members[1].options.deep: a member of kind assembly_stranger:Wide takes no deep; its options: width, depth",
        ),
        (
            "kind: 'assembly_stranger:Wide', temperature: 1",
            "members[1].temperature: a member of kind assembly_stranger:Wide takes no temperature",
        ),
        (
            "kind: 'assembly_stranger:Wide', options: {width: x}",
            "members[1].options: a member of kind assembly_stranger:Wide cannot be made of these: ValueError",
        ),
        ("kind: 'assembly_stranger:Wide'", "cannot be made of these: TypeError"),
        ("kind: litellm, model: no-such, base_url: 'http://127.0.0.1:9'", "members[1]: member b: nobody says what the"),
    ],
)
def test_a_member_that_cannot_be_made_is_told_with_its_line(
    tmp_path: Path, stranger: str, member: str, said: str
) -> None:
    assert said in complaint(tmp_path, member)


def test_a_key_that_a_class_repeats_is_not_shown(tmp_path: Path, stranger: str) -> None:
    (tmp_path / "assembly_broken.py").write_text(f"raise RuntimeError('sk-{'b' * 40}\\nsecond line')\n")
    said = complaint(tmp_path, "kind: 'assembly_broken:A'")
    assert "bbb" not in said and "[redacted] second line" in said


def test_a_class_that_takes_anything_gets_anything(tmp_path: Path, stranger: str) -> None:
    entry = f"{{name: b, kind: '{stranger}:Anything', options: {{foo: 1}}}}"
    present, _ = members_of(load(write(tmp_path, f"members: [{entry}]\n")), offline=True)
    assert present["b"].options == {"foo": 1}  # type: ignore[attr-defined]


def test_what_the_command_line_changes_keeps_the_lines_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "members:\n- {name: a, kind: 'nope.mod:Thing'}\n")
    with pytest.raises(ConfigError, match=r"council\.yaml:2: "):
        members_of(load(path).override(rounds=3), offline=True)


def test_where_a_file_was_read_is_no_part_of_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    text = "members: [{name: a, kind: random}]\n"
    assert load(write(tmp_path, text)) == load(write(tmp_path / "one", "# a line more\n" + text))
