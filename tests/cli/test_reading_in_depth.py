"""Search, export, prompts, raw replies and logs: what is found, what it says, and that nothing in it acts."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import unicodedata
from contextlib import closing

import pytest

from council.errors import UsageError
from council.store import Store
from council.store.schema import TABLES
from council.views import calls, export, search
from tests.report.nights import write


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "hostile"])
def deep(tmp_path_factory, request):
    """A lab with a night of eight rounds and two sessions."""
    folder = tmp_path_factory.mktemp("lab")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / ".council").mkdir()
    write(folder / ".council" / "council.db", rounds=8, name="first", hostile=request.param)
    write(folder / ".council" / "council.db", rounds=3, name="second", seed=2, hostile=request.param)
    return folder


@pytest.fixture
def store(deep):
    with closing(Store(deep / ".council" / "council.db", read_only=True)) as found:
        yield found


def acts(text: str) -> list[str]:
    """Characters that do anything but be seen."""
    return [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf")]


@pytest.mark.parametrize(
    ("text", "source", "piece"),
    [
        ("curvature early", "proposal", "«curvature» is low «early»"),
        ("schedule changes", "answer", "the «schedule» is what «changes»"),
        ("noise gain", "critique", "the «gain» may be within the «noise»"),
        ("within occurs SEARCH", None, ""),
        ("occurs", "check", "block 1 «occurs» 0 times"),
        ("memory", None, ""),
        ('"ranking names"', None, ""),
        ("NameError", "verdict", "«NameError»"),
        ("'A first'", None, ""),
        ('"rank A"', "reply", "I «rank A» first"),
        ("CURVATURE", "reply", "«curvature»"),
        ("100%", None, ""),
    ],
)
def test_search_finds_words_wherever_members_wrote_them(store, text, source, piece):
    hits = search.read(store, text, "first", 500).hits
    told = {hit.source: str(hit.as_json()["snippet"]) for hit in reversed(hits)}
    assert (source in told and piece in told[source]) if source else source is None


def test_search_tells_the_session_round_and_member(store):
    hit = next(h for h in search.read(store, "low early").hits if h.source == "proposal")
    assert (hit.session, hit.round) == ("second", 3) and hit.member
    assert {h.session for h in search.read(store, "curvature", "first", 500).hits} == {"first"}


def test_search_shows_the_newest_of_every_kind_and_counts_the_rest(store):
    every = search.read(store, "curvature", limit=10_000)
    assert every.total == len(every.hits) > 30
    few = search.read(store, "curvature", limit=30)
    assert few.hits == every.hits[:30] and few.total == every.total
    assert {"proposal", "reply"} <= {hit.source for hit in few.hits}
    rounds = [(hit.session == "second", hit.round) for hit in every.hits]
    assert rounds == sorted(rounds, reverse=True)


def test_a_reply_is_found_with_its_call(store):
    for hit in search.read(store, "curvature", "first", 10_000).hits:
        assert (hit.call is not None) == (hit.source == "reply")
        assert hit.call is None or "curvature" in calls.one(store, hit.call).text


@pytest.mark.parametrize("text", ['"', "'", "*", "NEAR(", "a AND", "text:", "%", "''--", "()"])
def test_no_query_breaks_the_search(store, text):
    try:
        search.read(store, text)
    except UsageError as error:
        assert "no word" in error.message


def test_a_per_cent_sign_is_no_wildcard(store):
    assert search.read(store, "low%early") == search.Found((), 0)


def test_search_on_the_command_line(deep, council):
    found = council(deep, "search", "curvature", "--limit", "4")
    assert found.exit_code == 0 and found.stdout.count("«curvature»") == 4 and acts(found.stdout) == []
    assert all(len(line) <= 170 for line in found.stdout.splitlines())
    rows = json.loads(council(deep, "search", "curvature", "--session", "first", "--json").stdout)
    assert {row["session"] for row in rows} == {"first"} and len(rows) == 30
    assert re.search(r"^\d+ older places are not shown; --limit \d+ shows more$", found.stderr.strip())
    assert ", call " in council(deep, "search", "curvature", "--limit", "100").stdout
    assert council(deep, "search", "zebra").exit_code == 1
    assert council(deep, "search", "x", "--session", "none").exit_code == 2


def test_prompts_show_what_was_asked_and_what_came_back(deep, council):
    told = council(deep, "show", "3", "--session", "first", "--prompts")
    assert "Round 3, step propose. The best is 1.8." in told.stdout and "I propose:" in told.stdout
    assert "claude-opus, ok, 9,000 tokens in (7,000 cached)" in " ".join(told.stdout.split())
    assert acts(told.stdout) == []


LONG = "word " * 1200 + "and the last\n" + "\n".join(f"line {n}" for n in range(3000)) + "\nthe end\x1b[2J"


@pytest.fixture
def talkative(tmp_path):
    """A lab with one call whose prompt and reply are long in both ways."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    path = tmp_path / ".council" / "council.db"
    path.parent.mkdir()
    write(path, rounds=1, name="first")
    with closing(Store(path)) as store:
        at = {"session": 1, "round": 1, "step": "propose", "member": "opus", "attempt": 9, "turn": 1, "at": 1.0}
        request = {"messages": [{"role": "user", "content": f"{LONG} of the prompt"}]}
        sent = {**at, "provider": "anthropic", "model": "m", "request": request, "reserved_usd": 1.0}
        call = store.insert("calls", sent)
        counts = {"tokens_in": 1, "tokens_cached": 0, "tokens_out": 1, "cost_usd": 0.1, "seconds": 1.0}
        reply = {"text": f"{LONG} of the reply", "raw": {"id": "msg_77", "usage": {"output_tokens": 1}}}
        store.insert("replies", {"call": call, "at": 2.0, "status": "ok", **counts, **reply})
    return tmp_path


def test_nothing_of_a_long_prompt_or_reply_is_cut(talkative, council):
    told = council(talkative, "show", "1", "--prompts").stdout
    lines = [line.strip() for line in told.splitlines()]
    assert lines.count(f"{'word ' * 1200}and the last") == 2
    assert all(lines.count(f"line {n}") == 2 for n in range(3000))
    assert "the end␛[2J of the prompt" in lines and "the end␛[2J of the reply" in lines and acts(told) == []


def test_raw_holds_the_request_the_text_and_what_else_came(talkative, council):
    told = council(talkative, "show", "1", "--raw", "opus").stdout
    assert told.isascii()
    found = json.loads(told[told.rindex("\n{\n") :])
    assert found["request"]["messages"][0]["content"] == f"{LONG} of the prompt"
    assert found["text"] == f"{LONG} of the reply" and found["raw"]["id"] == "msg_77"


def test_raw_shows_one_members_wire(deep, council):
    told = council(deep, "show", "3", "--session", "first", "--raw", "opus")
    assert '"choices"' in told.stdout and "gpt-large" not in told.stdout and told.stdout.isascii()
    assert council(deep, "show", "3", "--raw", "nobody").exit_code == 2
    rows = json.loads(council(deep, "show", "3", "--session", "first", "--raw", "opus", "--json").stdout)
    assert {row["member"] for row in rows} == {"opus"} and rows[0]["request"]["messages"]


def test_log_shows_the_end_of_each_log_and_the_losses(deep, council):
    told = council(deep, "show", "6", "--session", "first", "--log").stdout
    assert "x8 trial, 100 losses from 6.200 to 2.201" in told and "Traceback: NameError" in told and acts(told) == []
    assert len(json.loads(council(deep, "show", "0", "--session", "first", "--log", "--json").stdout)) == 2


def test_show_refuses_two_things_at_once(deep, council):
    assert council(deep, "show", "1", "--diff", "--log").exit_code == 2


@pytest.mark.parametrize(
    ("request_", "messages"),
    [
        ({"messages": [{"role": "user", "content": "a"}]}, [("user", "a")]),
        ({"system": "s", "messages": [{"role": "user", "content": [{"text": "a"}, {"text": "b"}]}]},
         [("system", "s"), ("user", "a\nb")]),
        ({"instructions": "s", "input": "a"}, [("system", "s"), ("user", "a")]),
        ("odd", [("request", '"odd"')]),
    ],
)  # fmt: skip
def test_messages_are_read_from_every_shape_of_request(request_, messages):
    empty = dict.fromkeys(calls.Call.__dataclass_fields__)
    assert calls.Call(**{**empty, "request": request_}).messages() == messages  # type: ignore[arg-type]


def test_export_holds_every_row_of_one_session_and_no_other(deep, council, store):
    rows = [json.loads(line) for line in council(deep, "export", "--session", "first").stdout.splitlines()]
    assert {row["session"] for row in rows if "session" in row} == {1}
    count = sum(next(store.query(f"SELECT count(*) AS n FROM [{t}] WHERE session = 1"))["n"]
                for t in TABLES if t not in ("sessions", "replies"))  # fmt: skip
    replies = sum(row["table"] == "replies" for row in rows)
    lines = sum(row["table"] == "ledger" for row in rows)
    assert len(rows) == 2 * lines == 2 * (count + replies + 1) and replies > 50
    assert next(row for row in rows if row["table"] == "sessions")["config"]["judge"] == {"rule": "borda"}


def test_export_reads_past_one_chunk(deep, store, monkeypatch):
    whole = list(export.rows(store, "first"))
    monkeypatch.setattr(export, "CHUNK", 7)
    assert list(export.rows(store, "first")) == whole


def test_the_csv_has_a_line_per_experiment_and_no_formula(deep, council, store):
    rows = list(csv.DictReader(io.StringIO(council(deep, "export", "--session", "first", "--format", "csv").stdout)))
    assert [int(row["number"]) for row in rows] == list(range(1, 11)) and rows[7]["verdict"] == "crash"
    members = [row["member"] for row in rows] + [row["title"] for row in rows]
    assert not [text for text in members if text[:1] in tuple("=+-@|")]
    assert acts("".join("".join(row.values()) for row in rows)) == []
