"""What every mistake in council.yaml is told: file, line, key, value, what is allowed; and never anything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from council.config import load
from council.config_yaml import SIZE_LIMIT
from council.errors import ConfigError
from tests.test_config import MEMBERS, complaints, write

TOP = "allowed: program, lab, members, judge, stop, executor, idle"
LAB = "allowed: dir, corpus, budget, device, sandbox"
DEVICE = "allowed: auto, cpu, cuda, mps"
FILE = "allowed: the path of a file inside the repository"
BUDGET = "allowed: auto, or seconds of training above 0, at most 86400"
RULES = "forecast, borda, schulze, or a function as package.module:function"
PAIRS = "auto, a number of pairs, or blocks such as 3+3"
ROUNDS = "allowed: a whole number of rounds, 1 to 1000000"

# --- wrong keys and values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lab: {devise: cpu}", f"2: lab.devise: unknown key; {LAB}. Did you mean device?"),
        ("memberz: []", f"2: memberz: unknown key; {TOP}. Did you mean members?"),
        ("lab: {corpus: wiki}", "2: lab.corpus: 'wiki' is not allowed; allowed: auto, sympy"),
        ("lab: {device: cudo}", f"2: lab.device: 'cudo' is not allowed; {DEVICE}. Did you mean cuda?"),
        ("lab:\n\n  budget: -3", f"4: lab.budget: -3 is not allowed; {BUDGET}"),
        ("lab: {budget: 07:30}", f"2: lab.budget: '07:30' is not allowed; {BUDGET}"),
        ("lab: {budget: .inf}", "2: lab.budget: .inf is not a finite number"),
        ("lab: {sandbox: 1}", "2: lab.sandbox: 1 is not allowed; allowed: auto, bwrap, landlock, none"),
        ("lab: {dir: other}", "2: lab.dir: 'other' is not allowed; allowed: lab"),
        ("lab: cpu", "2: lab: 'cpu' is not allowed; allowed: keys and values"),
        ("stop:", "2: stop: nothing is not allowed; allowed: keys and values"),
        ("stop: {rounds: 1.5}", f"2: stop.rounds: 1.5 is not allowed; {ROUNDS}"),
        ("stop: {rounds: 0}", f"2: stop.rounds: 0 is not allowed; {ROUNDS}"),
        ("stop: {rounds: '7'}", f"2: stop.rounds: '7' is not allowed; {ROUNDS}"),
        ("judge: {rule: borad}", f"2: judge.rule: 'borad' is not allowed; allowed: {RULES}. Did you mean borda?"),
        ("judge: {p_keep: 1}", "2: judge.p_keep: 1 is not allowed; allowed: a belief between 0 and 1"),
        ("judge: {closing_pairs: -1}", f"2: judge.closing_pairs: -1 is not allowed; allowed: {PAIRS}"),
        ("judge: {closing_pairs: 3+}", f"2: judge.closing_pairs: '3+' is not allowed; allowed: {PAIRS}"),
        ("judge: {closing_pairs: 3+0}", f"2: judge.closing_pairs: '3+0' is not allowed; allowed: {PAIRS}"),
        ("judge: {closing_pairs: 0+3}", f"2: judge.closing_pairs: '0+3' is not allowed; allowed: {PAIRS}"),
        ("idle: no", "2: idle: no (false or true in YAML unless quoted) is not allowed; allowed: wait"),
        ("program: ../x.md", f"2: program: '../x.md' is not allowed; {FILE}"),
        ("program: /etc/passwd", f"2: program: '/etc/passwd' is not allowed; {FILE}"),
        ("program: a/../../b", f"2: program: 'a/../../b' is not allowed; {FILE}"),
        ("program: ' '", f"2: program: ' ' is not allowed; {FILE}"),
        ("lab: {}\nstop: {}\nlab: {}", "4: lab: given twice, first on line 2"),
        ("lab: {device: cpu, device: cuda}", "2: lab.device: given twice, first on line 2"),
        ("1: 2", f"2: 1: unknown key; {TOP}"),
        ("? [a]\n: b", "2: ?: a key must be a plain word"),
        ("<<: {idle: wait}", f"2: '<<': unknown key; {TOP}"),
        ("idle: !!int ''", "2: idle: nothing is not of the kind int"),
    ],
)  # fmt: skip
def test_a_wrong_key_or_value_names_line_key_value_and_what_is_allowed(tmp_path: Path, text: str, said: str) -> None:
    assert complaints(tmp_path, MEMBERS + text + "\n") == [said]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ("[]", "1: members: [] is not allowed; allowed: a list of at least one {name, kind}"),
        ("{a: b}", "1: members: {'a': 'b'} is not allowed; allowed: a list of at least one {name, kind}"),
        ("[3]", "1: members[0]: 3 is not allowed; allowed: keys and values"),
        ("[{kind: random}]", "1: members[0].name is missing"),
        ("[{name: a}]", "1: members[0].kind is missing"),
        ("[{name: a, kind: optna}]", "Did you mean optuna?"),
        ("[{name: a, kind: 'os.system'}]", "1: members[0].kind: 'os.system' is not allowed; allowed: random"),
        ("[{name: A, kind: random}]", "1: members[0].name: 'A' is not allowed; allowed: 1 to 32 of a-z"),
        (f"[{{name: {'a' * 33}, kind: random}}]", "is not allowed; allowed: 1 to 32 of a-z"),
        ('[{name: "a\\n", kind: random}]', "1: members[0].name: 'a\\n' is not allowed"),
        (
            "[{name: a, kind: random, options: [1]}]",
            "1: members[0].options: [1] is not allowed; allowed: keys and values",
        ),
        ('[{name: a, kind: random, options: {x: "\\ud800"}}]', "1: half a character is not allowed"),
        (
            "[{name: a, kind: random, model: x}]",
            "1: members[0].model: 'x' is not allowed; a member of kind random takes no model",
        ),
        (
            "[{name: a, kind: openai}]",
            "1: members[0].kind: 'openai' is not allowed; a member of kind openai needs a model",
        ),
        (
            "[{name: a, kind: openai, model: m, options: {max_tokens: 5}}]",
            "members[0].options.max_tokens: 5 is not allowed; options take no max_tokens, on which the cap on dollars",
        ),
        (
            "[{name: a, kind: litellm, model: m, options: {extra_body: {n: 8}}}]",
            "members[0].options.extra_body.n: 8 is not allowed; options take no n",
        ),
        ("[{name: a, kind: openai, model: m, price: {input: 1}}]", "1: members[0].price.output is missing"),
        ("[{name: a, kind: openai, model: m, base_url: ftp://x}]", "1: members[0].base_url: 'ftp://x' is not allowed"),
        (
            "[{name: a, kind: openai, model: m, api_key_env: sk-ab-1}]",
            "the name of an environment variable, not the key",
        ),
        (
            "\n- {name: a, kind: random}\n- {name: a, kind: optuna}",
            "3: members[1].name: 'a' is not allowed; two members",
        ),
    ],
)
def test_a_wrong_member_is_told_alone(tmp_path: Path, members: str, said: str) -> None:
    (line,) = complaints(tmp_path, f"members: {members}\n")
    assert said in line


def test_a_file_without_members_says_so(tmp_path: Path) -> None:
    assert complaints(tmp_path, "idle: wait\n") == ["1: members is missing"]


def test_all_errors_are_told_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = "idle: never\nlab: {device: x, budget: 0}\nstop: {rounds: x}\nmembers: [{name: A, kind: b}]\nidle: wait\n"
    lines = complaints(tmp_path, text)
    assert [line.split(":")[0] for line in lines] == ["1", "2", "2", "3", "4", "4", "5"]


def test_at_most_ten_errors_are_told(tmp_path: Path) -> None:
    lines = complaints(tmp_path, MEMBERS + "".join(f"key{n}: 1\n" for n in range(25)))
    assert len(lines) == 11 and lines[-1] == "and 15 more"


def test_hostile_text_is_escaped_and_cut(tmp_path: Path) -> None:
    lines = complaints(tmp_path, MEMBERS + 'idle: "\\e[31m\\n\\u202e' + "x" * 500 + '"\n"\\e[1m": 1\n')
    assert len(lines) == 2 and all(line.isprintable() and len(line) < 200 for line in lines)
    assert "\\x1b" in lines[0] and "\\x1b" in lines[1]


# --- what is not a council.yaml --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1: the file is empty"),
        ("# only a comment\n", "1: the file is empty"),
        ("- a\n- b\n", "1: the file does not consist of keys and values"),
        ("just words", "1: the file does not consist of keys and values"),
        ("idle: wait\na: b: c\n", "2: not YAML, column 5: mapping values are not allowed here"),
        ("lab:\n\tdir: lab\n", "indent with spaces, not with tabs"),
        ("a: [1, 2\nb: 3\n", "2: not YAML"),
        ("a: 'open\n", "not YAML"),
        ("a: 1\n---\nb: 2\n", "2: not YAML, column 1: expected a single document"),
        ("%YAML 9.9\n---\na: 1\n", "1: not YAML"),
        (b"idle: wait\nprogram: \xff.md\n", "2: the byte 0xff is not UTF-8"),
        ("idle: wait\n".encode("utf-16"), "not UTF-8"),
        (b"a: \x00\n", "1: the character '\\x00' is not allowed in YAML"),
        ("members: &a [1]\n", "1: an anchor (&) or alias (*) is not allowed"),
        ("members: *a\n", "1: an anchor (&) or alias (*) is not allowed"),
        ("a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", "1: an anchor (&)"),
        ("a: " + "[" * 100_000, "1: deep nesting is not allowed"),
        ("a: " + "{b: " * 100_000, "1: deep nesting is not allowed"),
    ],
)
def test_a_file_that_is_something_else_is_told_in_one_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    (line,) = complaints(tmp_path, text)
    assert said in line


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!python/name:os.system", "!mine", "!!set", "!!binary"]
)
@pytest.mark.parametrize("value", ["[touch made]", "{a: b}", "touch made"])
def test_tags_are_refused_and_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tag: str, value: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert any(
        "the tag" in line and "is not allowed" in line for line in complaints(tmp_path, f"members: {tag} {value}\n")
    )
    assert not (tmp_path / "made").exists()


def test_a_huge_file_is_refused_by_its_size(tmp_path: Path) -> None:
    path = write(tmp_path, b"#" * (SIZE_LIMIT + 1))
    with pytest.raises(ConfigError, match="larger than"):
        load(path)


def test_a_missing_file_and_a_folder_say_what_to_do(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path, tmp_path / "none" / "x.yaml"):
        with pytest.raises(ConfigError, match="cannot be read") as error:
            load(path)
        assert str(path) in error.value.message and "council init" in error.value.hint


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["lab", "name", "kind", "x"]), inner),
    max_leaves=10,
)
KEYS = st.sampled_from(["program", "lab", "members", "judge", "stop", "executor", "idle", "other"])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(KEYS, ANY).map(json.dumps) | st.text() | st.text("!&*[]{}:- ,|>'\"\n?%@`#ab01.~<=", max_size=40))
@example("members: [{name: a, kind: random, options: {? [x] : 1, ? {y: 2} : 3}}]")
@example("a: !<tag:yaml.org,2002:int> x")
@example("a: 2026-13-45")
@example("a: !!timestamp x")
@example("a: 0b")
@example("a: 1:99999999999999999999:3")
def test_whatever_the_file_holds_only_a_config_error_comes_out(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text.encode("utf-8", "surrogatepass"))
    try:
        load(path)
    except ConfigError as error:
        assert 0 < len(error.message.splitlines()) <= 11
        assert all(line.startswith(str(path)) or line.startswith("and ") for line in error.message.splitlines())
