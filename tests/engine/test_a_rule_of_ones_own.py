"""A session under a rule that did not come with the council: it picks, it may fail, and no audit runs it."""

from __future__ import annotations

import itertools
from contextlib import closing

import pytest

from council.audit import audit
from council.errors import ConfigError, RuleFailed
from council.judge import borda
from council.repo import Repo
from council.store import Store
from tests.helpers import change

COUNTED, BROKEN, NO_NUMBER = (f"{__name__}:{name}" for name in ("counted", "broken", "no_number"))
calls: list[object] = []


def counted(slates, ballots):
    calls.append(slates)
    return borda.tally(slates, ballots)


def broken(slates, ballots):
    raise KeyError("nothing")


def no_number(slates, ballots):
    return {p: float("nan") for labels in slates.values() for p in labels.values()}


@pytest.fixture
def lab(night):
    """A lab of three members whose rule is given by `lab(path)`."""

    def build(rule):
        count = itertools.count(1)
        made = night(**{n: {"propose": lambda b, t: change(GAIN=next(count))(b)} for n in ("ann", "bob", "cyd")})
        file = made.root / "council.yaml"
        file.write_text(f"{file.read_text()}judge: {{rule: '{rule}'}}\n")
        return made

    return build


def test_a_session_picks_by_a_rule_of_ones_own_and_is_not_audited_by_it(lab):
    made = lab(COUNTED)
    assert made.run(2).exit_code == 0
    assert [t["rule"] for t in made.rows("tallies")] == [COUNTED, COUNTED] and calls
    calls.clear()
    with closing(Store(made.root / ".council" / "council.db", read_only=True)) as store:
        problems = audit(store, Repo.open(made.root)).problems
    assert {p.kind for p in problems} == {"tally"} and len(problems) == 2 and not calls
    assert all(COUNTED in p.what and "installed under a name" in p.what for p in problems)


def test_a_rule_that_cannot_be_loaded_is_refused_before_anything_is_written(lab):
    made = lab("no.such.module:tally")
    with pytest.raises(ConfigError, match="No module"):
        made.run(1)
    assert not (made.root / ".council" / "council.db").exists()


@pytest.mark.parametrize(("rule", "said"), [(BROKEN, "KeyError"), (NO_NUMBER, "nan")])
def test_a_rule_that_fails_ends_the_run_and_the_session_goes_on_once_it_is_mended(lab, monkeypatch, rule, said):
    made = lab(rule)
    with pytest.raises(RuleFailed, match=said) as caught:
        made.run(1)
    assert caught.value.exit_code == 1 and "--resume k" in str(caught.value)
    monkeypatch.setattr(f"{__name__}.{rule.partition(':')[2]}", borda.tally)
    asked = len(made.members[0].asked)
    assert made.run(1, resume="k").exit_code == 0
    assert len(made.members[0].asked) == asked, "nobody was asked again"
