"""Rows that somebody edited: commands show what they can, or say that the rows do not fit together."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing

import pytest

from council import refit
from council.store import Store
from council.ui import report
from tests.ui.test_live_display import Fed


@pytest.fixture
def edited(lab):
    """`edited(sql, …)` changes rows that the council never changes, and gives the lab."""

    def edit(*statements):
        with closing(sqlite3.connect(lab / ".council/council.db")) as db, db:
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                db.execute(f"DROP TRIGGER [{name}]")
            for statement in statements:
                db.execute(statement)
        return lab

    return edit


@pytest.mark.parametrize("more", [("show", "1"), ("show", "1", "--json"), ("status",), ("report", "-o", "-")])
def test_an_unknown_verdict_is_shown_in_its_own_inert_words(edited, council, more):
    folder = edited("UPDATE verdicts SET kind = 'zap' || char(27) || '[2J' WHERE kind = 'keep'")
    result = council(folder, *more)
    assert result.exit_code == 0 and "\x1b" not in result.stdout
    if more == ("show", "1"):
        assert "was judged “zap␛[2J”" in " ".join(result.stdout.split()) and "council audit" in result.stdout


def test_a_vote_on_a_proposal_that_is_gone_does_not_end_a_report(edited, council):
    folder = edited("UPDATE tallies SET ranking = '[999]'")
    result = council(folder, "report", "--format", "md", "-o", "-")
    assert result.exit_code == 0 and "## Leaderboard" in result.stdout


@pytest.mark.parametrize(
    "more", [("show", "1"), ("show", "1", "--json"), ("leaderboard",), ("report", "--format", "md", "-o", "-")]
)
def test_rows_that_do_not_fit_together_are_told_in_a_sentence(edited, council, more):
    folder = edited("UPDATE tallies SET ranking = '5', scores = '5'")
    result = council(folder, *more)
    assert result.exit_code == 1 and "council.db holds does not fit together (" in result.stderr
    assert "See `council audit`." in result.stderr and "fault of the council" not in result.stderr


def test_a_number_that_no_float_holds_is_told_while_it_is_printed(edited, council):
    folder = edited(f"UPDATE tallies SET scores = (SELECT '{{\"' || id || '\": 1{'0' * 400}}}' FROM proposals LIMIT 1)")
    result = council(folder, "show", "1")
    assert result.exit_code == 1 and "does not fit together (OverflowError" in result.stderr


def test_conditions_that_are_no_object_are_shown_without_a_name():
    assert report.facts(5) == [("", "5")] and report.facts({"a": {"b": 1}}) == [("a.b", "1")]


def test_a_round_recorded_while_the_regression_reads_is_seen_whole_or_not_at_all(tmp_path):
    fed = Fed(tmp_path, io.StringIO())
    with closing(Store(fed.path, read_only=True)) as store:

        class Racing:
            """A store into which a session records a round after the first question."""

            asked = 0

            def once(self, rows):
                found = list(rows)
                self.asked += 1
                if self.asked == 1:
                    fed.play(4)
                return found

            def query(self, *what):
                return self.once(store.query(*what))

            def rows(self, *what, **key):
                return self.once(store.rows(*what, **key))

        found = refit.rounds(Racing(), 1)
    assert found and all(one.authors for one in found)
