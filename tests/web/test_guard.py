"""The server refuses what it must, says no more than it should, and answers every page as JSON."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import unicodedata
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from council import importing
from council.cli import cli
from council.errors import UsageError
from council.store import Store
from council.web.data import FACETS
from council.web.guard import OURS, THEIRS, Guard
from council.web.routes import PAGES
from council.web.server import listen, server
from tests.web.conftest import ask, lab, serve


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/council", "/-/logout"])
def test_only_get_is_answered(plain, method, path):
    assert ask(plain, path, method)[0] == 405


@pytest.mark.parametrize(
    "name", ["databases", "threads", "messages", "allow-debug", "settings.json", "plugins", "logout"]
)
def test_pages_about_the_server_itself_are_closed(plain, name):
    for prefix in ("/-/", "/%2D/", "/-%2f"):
        status, _, body = ask(plain, prefix + name)
        assert status == 404 and str(plain.home) not in body


@pytest.mark.parametrize("table", FACETS)
def test_every_facet_is_a_column(plain, table):
    found = json.loads(ask(plain, f"/council/{table}.json?_size=1")[2])
    assert set(FACETS[table]) == set(found["facet_results"])


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "", "10.0.0.1", "[::2]:1"]
)
def test_a_foreign_host_name_is_refused(plain, host):
    status, headers, body = ask(plain, "/", host=host)
    assert status == 421 and "opus" not in body and headers["content-security-policy"] == OURS


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8017", "[::1]:9", "LOCALHOST"])
def test_this_machine_is_answered(plain, host):
    assert ask(plain, "/live.json", host=host)[0] == 200


def test_a_wider_address_answers_addresses_but_not_names():
    async def app(scope, receive, send):
        raise AssertionError

    guard = Guard(app, ("box",), any_address=True)
    known = [guard._known({"headers": [(b"host", host)]}) for host in (b"10.0.0.4:80", b"box", b"evil.example")]
    assert known == [True, True, False]
    assert not guard._known({"headers": [(b"host", b"box"), (b"host", b"box")]})


def test_nothing_but_http_passes():
    async def app(scope, receive, send):
        raise AssertionError

    async def send(message):
        sent.append(message["type"])

    sent: list[str] = []
    scope = {"type": "websocket", "path": "/ws", "headers": [(b"host", b"127.0.0.1")]}
    asyncio.run(Guard(app)(scope, None, send))
    assert sent == ["websocket.close"]


def test_an_upgrade_is_a_request_like_any_other(plain):
    asked = {"connection": "Upgrade", "upgrade": "websocket", "sec_websocket_version": "13",
             "sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip
    assert ask(plain, "/ws", host="evil.example", **asked)[0] == 421
    assert ask(plain, "/live.json", **asked)[0] == 200 and server(plain.home).config.ws == "none"


@pytest.mark.parametrize("path", ["/", "/rounds", "/round/3", "/members", "/search?q=x", "/nope", "/round/999"])
def test_our_pages_allow_no_inline_script_or_style(plain, path):
    headers, body = ask(plain, path)[1:]
    policy = headers["content-security-policy"]
    assert policy in (OURS, THEIRS) and (policy == OURS or path == "/nope")
    assert "unsafe" not in OURS and "eval" not in OURS
    assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|<[^>]+\sstyle=", body.split("</head>")[1])


@pytest.mark.parametrize("path", ["/council", "/council/rounds", "/council?sql=select+1", "/council/rounds/1"])
def test_datasettes_own_scripts_are_off(plain, path):
    headers, body = ask(plain, path)[1:]
    assert headers["content-security-policy"] == THEIRS and "script-src 'none'" in THEIRS
    assert "<script" not in body


@pytest.mark.parametrize(
    ("name", "value"),
    [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("x-frame-options", "DENY"),
     ("cache-control", "no-store")],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/council/rounds.json", "/assets/live.js"])
def test_every_answer_carries_the_headers(plain, path, name, value):
    assert ask(plain, path)[1][name] == value


def test_nothing_allows_other_origins(plain):
    headers = ask(plain, "/overview.json", origin="http://evil.example")[1]
    assert "access-control-allow-origin" not in headers and "set-cookie" not in headers


ADDRESSES = {
    "overview": "/overview.json", "round": "/round/3.json", "member": "/member.json?name=opus",
    "search": "/search.json?q=curvature", "call": "/call.json?id=3",
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_also_json(plain, name):
    status, headers, body = ask(plain, ADDRESSES.get(name, f"/{name}.json"))
    assert status == 200 and headers["content-type"].startswith("application/json") and json.loads(body)


def test_pages_of_a_log_whose_noise_nobody_knows_say_so(tmp_path):
    home = lab(tmp_path)
    lines, _ = importing.parse("a1b2\t0.9979\t1\tkeep\tbase\nb2c3\t0.9932\t1\tkeep\tfaster\n")
    store = Store(home / "council.db")
    importing.session_of(store, "theirs", "results.tsv", "", lines, importing.noise(lines))
    store.close()
    served = serve(home)
    where = next(served)
    for path in ("/", "/sessions", "/compare?a=theirs&b=theirs", "/round/1", "/rounds"):
        status, _, body = ask(where, path)
        assert status == 200 and "0.99320" in body and "0.00000" not in body, path
    next(served, None)


def test_the_json_of_a_round_is_that_of_the_command_line(plain):
    body = json.loads(ask(plain, "/round/3.json")[2])
    told = CliRunner().invoke(cli, ["-C", str(plain.home.parent), "show", "3", "--json"])
    (plain.home.parent / ".git").mkdir(exist_ok=True)
    told = CliRunner().invoke(cli, ["-C", str(plain.home.parent), "show", "3", "--json"])
    assert {k: body[k] for k in json.loads(told.stdout)} == json.loads(told.stdout)


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/round/999", 404, "there is no round"),
        ("/member?name=zz", 404, "has no member"),
        ("/call?id=999999", 404, "there is no call"),
        ("/rounds?page=x", 404, "must be a whole number"),
        ("/?session=none", 404, "there is no session"),
        ("/compare?a=none", 404, "there is no session"),
        ("/nope", 404, "There is no such page"),
        ("/council?sql=selec", 400, "Statement must be a SELECT"),
    ],
)
def test_errors_are_pages_in_words(plain, path, status, said):
    found, _, body = ask(plain, path)
    assert found == status and said in body and "Traceback" not in body


def test_errors_are_json_where_json_was_asked(plain):
    assert json.loads(ask(plain, "/round/999.json")[2])["error"] == "there is no round '999'"


@pytest.mark.parametrize(
    "query",
    [
        "sql=delete+from+rounds",
        "sql=pragma+writable_schema=1",
        "sql=attach+'/etc/x'+as+x",
        "sql=insert+into+x+values(1)",
    ],
)
def test_sql_only_reads(plain, query):
    assert ask(plain, f"/council.json?{query}")[0] == 400
    before = (plain.home / "council.db").read_bytes()
    ask(plain, "/council.json?sql=select+*+from+rounds")
    assert (plain.home / "council.db").read_bytes() == before


@pytest.mark.parametrize("name", ["what_ran_and_why", "who_voted_for_what_was_kept", "replicates_of_kept_code",
                                  "cost_by_member_and_step", "calls_that_failed", "refusals_of_the_guard",
                                  "position_of_the_pick", "head_of_the_ledger",
                                  "text_of_a_round.json?session=first&round=3"])  # fmt: skip
def test_the_questions_of_an_audit_have_answers(plain, name):
    path = f"/council/{name}" if ".json" in name else f"/council/{name}.json"
    found = json.loads(ask(plain, path)[2])
    assert found["ok"] and found["rows"]


@pytest.mark.parametrize("path", ["/council/proposals.csv", "/council/members.csv", "/council/what_ran_and_why.csv"])
def test_csv_of_tables_computes_nothing_and_cuts_nothing(hostile, path):
    rows = list(csv.reader(io.StringIO(ask(hostile, path)[2], newline="")))
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if re.match(r"\s*[=+@|]", cell)]
    assert [c for cell in cells for c in cell if c not in "\n\r\t" and unicodedata.category(c) in ("Cc", "Cf")] == []
    assert path != "/council/proposals.csv" or max(map(len, cells)) > 1_000_000


def test_a_search_in_the_address_stays_text(plain):
    body = ask(plain, "/search?q=%3Cscript%3Ealert(1)%3C/script%3E")[2]
    assert "<script>alert" not in body and "&lt;script&gt;" in body


def test_no_path_leaves_the_assets(plain):
    for path in ("/assets/../server.py", "/assets/%2e%2e/server.py", "/assets/..%2fserver.py"):
        assert ask(plain, path)[0] in (403, 404)


def test_a_port_in_use_is_said(plain):
    port = urlsplit(plain.url).port
    with pytest.raises(UsageError, match=f"port {port}"):
        listen("127.0.0.1", port)


def test_a_wider_address_is_warned_of(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    asked = []
    monkeypatch.setattr("council.web.server.serve", lambda *a: asked.append(a[1]))
    loud = CliRunner().invoke(cli, ["-C", str(tmp_path), "serve", "--host", "0.0.0.0"])
    quiet = CliRunner().invoke(cli, ["-C", str(tmp_path), "serve"])
    assert "WARNING" in loud.stderr and quiet.stderr == "" and asked == ["0.0.0.0", "127.0.0.1"]
