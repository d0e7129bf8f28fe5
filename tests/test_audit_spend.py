"""What calls cost, tampered with under a rebuilt chain: each lie is found by counting the tokens again.

The night has three members that pay by the token. Ann's second call fails, bob's second is lost, and the rest are
answered; so every way in which a call can cost something is there.
"""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
from pathlib import Path

import pytest

from council.members.provider import Reply
from council.members.provider_price import Price
from council.store import Store
from tests.test_audit_night import CONFIG, Fake, Planned, audited, lab, run
from tests.test_audit_tamper import json_cell, sql, tamper

PRICE = Price(3e-6, 15e-6, 0.3e-6, 3.75e-6)
RESERVED = 0.2
ANSWER = Reply("I propose.", "ok", 9000, 7000, 500, 400)
ANSWER_USD = (1500 * 3 + 7000 * 0.3 + 500 * 3.75 + 400 * 15) / 1e6
FAILED = Reply("I pro", "network", 9000, 0, 0, 2)


class Paying(Planned):
    """Records a call with every proposal."""

    def price(self):
        return PRICE

    async def propose(self, brief, turn):
        request = {"model": "m", "max_tokens": 4000, "messages": [{"role": "user", "content": "Propose.\nNow."}]}
        call = await self.recorder.sent(turn, 1, "test", "m", request, RESERVED)
        reply = FAILED if (turn.round, self.name) == (2, "ann") else ANSWER
        if (turn.round, self.name) != (2, "bob"):
            self.recorder.answered(call, reply, PRICE.cost(reply), 3.0)
        self.recorder.left(call)
        return await super().propose(brief, turn)


@functools.cache
def _made() -> Path:
    top = Path(tempfile.mkdtemp(prefix="council-spend-"))
    atexit.register(shutil.rmtree, top, ignore_errors=True)
    folder = lab(top / "lab", CONFIG.replace("test_audit_night:Planned", "test_audit_spend:Paying"))
    assert run(folder, Fake([1.000, 1.004, 0.985, 0.990, 1.010]), session="night", rounds=3).exit_code == 0
    return folder


def paid_night(folder: Path) -> Path:
    """A copy of the night."""
    return shutil.copytree(_made(), folder / "night")


def test_a_paid_night_nobody_touched_adds_up_and_costs_its_tokens(tmp_path):
    folder = paid_night(tmp_path)
    report = audited(folder)
    assert report.problems == () and report.calls == 9
    store = Store(folder / ".council/council.db", read_only=True)
    assert [r["cost_usd"] for r in store.rows("replies", status="ok")] == pytest.approx([ANSWER_USD] * 7)
    store.close()


def test_a_session_that_recorded_no_prices_is_not_blamed_for_them(tmp_path):
    folder = paid_night(tmp_path)
    drop = "UPDATE calls SET request = json_remove(request, '$.price')"
    tamper(folder, lambda db: db.execute(drop), rebuild=True)
    assert not {p.where for p in audited(folder).problems if p.kind == "spend"}


CASES = [
    ("a cost below nothing", sql("UPDATE replies SET tokens_out = -9000, cost_usd = -1.0 WHERE call = 1"),
     "night call 1"),
    ("a cost halved", sql("UPDATE replies SET cost_usd = cost_usd / 2 WHERE call = 1"), "night call 1"),
    ("tokens of the prompt", sql("UPDATE replies SET tokens_in = 8000 WHERE call = 1"), "night call 1"),
    ("tokens from a cache", sql("UPDATE replies SET tokens_cached = 8000 WHERE call = 1"), "night call 1"),
    ("tokens of the answer", sql("UPDATE replies SET tokens_out = 399 WHERE call = 1"), "night call 1"),
    ("tokens into a cache", json_cell("replies", "raw", "call = 1", lambda r: {**r, "tokens_written": 0}),
     "night call 1"),
    ("a price", json_cell("calls", "request", "id = 1", lambda r: {**r, "price": {**r["price"], "cached": 0.0}}),
     "night call 1"),
    ("a failure made dear", sql(f"UPDATE replies SET cost_usd = {RESERVED} + 0.01 WHERE status = 'network'"),
     "night call 4"),
    ("a failure made free", sql("UPDATE replies SET cost_usd = 0 WHERE status = 'network'"), "night call 4"),
    ("a lost call made free", sql("UPDATE calls SET reserved_usd = 0 WHERE id = 5"), "night call 5"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "where"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_lie_about_money_is_found(tmp_path, change, where):
    folder = paid_night(tmp_path)
    tamper(folder, change, rebuild=True)
    assert [p.where for p in audited(folder).problems if p.kind == "spend"] == [where]


@pytest.mark.parametrize(("rebuild", "kind", "where"), [(False, "row", "replies row 2"), (True, "trailer", "night x3")])
@pytest.mark.parametrize("cell", ["text = 'I propose something else.'", 'raw = \'{"id":"another"}\''])
def test_a_replaced_reply_is_found_also_under_a_rebuilt_chain(tmp_path, cell, rebuild, kind, where):
    folder = paid_night(tmp_path)
    tamper(folder, sql(f"UPDATE replies SET {cell} WHERE id = 2"), rebuild=rebuild)
    assert (kind, where) in {(p.kind, p.where) for p in audited(folder).problems}


KEY = "sk-ant-api03-" + "Zz9" * 12


@pytest.mark.parametrize("text", [f"{KEY}", f"first line\n{KEY}", f"a tab\t{KEY}", f'"{KEY}"', f"x\\{KEY}"])
@pytest.mark.parametrize(("tbl", "column"), [("calls", "request"), ("replies", "text")])
def test_a_key_in_a_text_is_found_wherever_it_stands(tmp_path, tbl, column, text):
    folder = paid_night(tmp_path)
    cell = json.dumps({"messages": [text]}) if column == "request" else text
    tamper(folder, sql(f"UPDATE {tbl} SET {column} = ? WHERE id = 2", cell))
    problems = [p for p in audited(folder).problems if p.kind == "secret"]
    assert [p.where for p in problems] == [f"{tbl} 2.{column}"] and KEY not in repr(problems)


@pytest.mark.parametrize("key", ["sk-" + "a1" * 8, "hf_" + "a1" * 8, "bearer " + "a1" * 6, "xai-" + "a1" * 8])
def test_a_key_that_is_the_whole_of_a_short_text_is_found(tmp_path, key):
    folder = paid_night(tmp_path)
    tamper(folder, sql("UPDATE replies SET text = ? WHERE id = 2", key))
    assert [p.where for p in audited(folder).problems if p.kind == "secret"] == ["replies 2.text"]


def test_words_that_only_look_like_a_key_in_json_are_not(tmp_path):
    folder = paid_night(tmp_path)
    cell = json.dumps({"messages": ["a task-" + "list-of-things" * 3, "C:\\nsk-" + "of-many-words" * 3]})
    tamper(folder, sql("UPDATE calls SET request = ? WHERE id = 2", cell))
    assert not [p for p in audited(folder).problems if p.kind == "secret"]
