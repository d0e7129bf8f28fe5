"""The members by what they did: proposals, what ran, what was kept, forecasts, cost.

`read` pools sessions: those measured under the same conditions as the last one, members of equal name, kind, model,
options and prompt template counted together. Skill and judge weight come from one regression over all their settlements
(`council/refit.py`); they are null while nothing has settled, and skill for who proposed nothing valid. `brier` is the
mean over settled forecasts of others' proposals; forecasts of a member's own are `brier_own`, kept apart because
authors favour their own. Both are calibration, not a ranking of judges. How to extend: one query per column group.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from council.views import costs, sessions
from council.views.once import Once, anew, heads
from council.views.sessions import Row

if TYPE_CHECKING:
    from council.judge.reputation import Judges
    from council.store import Store

SEED = 20261120
"""Of the draws behind P(best): the same rows give the same figure."""


@dataclass(frozen=True)
class Standing:
    """One member. `run` counts proposals that ran; low and high bound 90 % intervals; ranks are those it may hold.

    `brier_base` is the Brier score of always forecasting the base rate; `kept_gain` the believed, unconfirmed gains of
    its kept edits together, in BPB; `unanswered_usd` is the part of its cost set aside for calls without a reply.
    """

    name: str
    kind: str
    model: str | None
    proposals: int
    run: int
    kept: int
    skill: float | None
    skill_low: float | None
    skill_high: float | None
    p_best: float | None
    judge_weight: float | None
    judge_low: float | None
    judge_high: float | None
    brier: float | None
    bad_replies: int
    tokens_in: int
    tokens_out: int
    cost_usd: float
    brier_own: float | None = None
    forecasts: int = 0
    settled: int = 0
    absent: str | None = None
    brier_base: float | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    kept_gain: float = 0.0
    unanswered_usd: float = 0.0

    @property
    def usd_per_gain(self) -> float | None:
        """Dollars per thousandth of a BPB of kept gain; None where nothing was kept."""
        return self.cost_usd / (1000 * self.kept_gain) if self.kept_gain > 0 else None

    def as_json(self) -> Row:
        """The member as `council leaderboard --json` and `--csv` have it."""
        return {**asdict(self), "usd_per_gain": self.usd_per_gain}


@dataclass(frozen=True)
class Help:
    """Whether the judges help: the sum of their weights with its 90 % interval, as the prior has it that also picks.

    That prior expects something of judges before anything is measured, so `sceptic_*` are the same for a prior that
    expects nothing. `helping` is the cautious answer: whether the sceptic's interval lies above 0.
    """

    sum_weight: float | None = None
    low: float | None = None
    high: float | None = None
    helping: bool | None = None
    sceptic_sum: float | None = None
    sceptic_low: float | None = None
    sceptic_high: float | None = None


@dataclass(frozen=True)
class Leaderboard:
    """Members of the pooled sessions, and in the same order `keys` of who they are; `left_out` do not compare.

    `first` and `second` lead by skill; `more` is about how many settlements would separate them: 0 if they are, None if
    nothing says when.
    """

    sigma: float | None
    rounds: int
    members: tuple[Standing, ...]
    pooled: tuple[str, ...]
    left_out: tuple[str, ...]
    settled: int = 0
    judges: Help = Help()
    first: str | None = None
    second: str | None = None
    more: int | None = None
    keys: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The object of `council leaderboard --json`, but for the bias meters."""
        return {
            "sigma": self.sigma,
            "rounds": self.rounds,
            "judges": asdict(self.judges),
            "members": [member.as_json() for member in self.members],
            "settled": self.settled,
            "separation": {"first": self.first, "second": self.second, "more": self.more},
            "pooled": list(self.pooled),
            "left_out": list(self.left_out),
        }


@dataclass(frozen=True)
class _Learnt:
    """What the regression says: of each member by `key_of` its identity, of the judges together, of the first two."""

    settled: int
    members: dict[str, Row]
    judges: Help
    first: str | None
    second: str | None
    more: int | None


def read(store: Store, name: str | None = None, once: Once = anew) -> Leaderboard:
    """The leaderboard of the named session, or of all that are comparable with the last one."""
    from council import refit

    last = sessions.find(store, name)
    pool = [last] if name else refit.comparable(store, last["id"])
    ids = [int(row["id"]) for row in pool]
    book = store.one("books", order="id DESC", session=last["id"])
    others = (
        [] if name else [row["name"] for row in store.query("SELECT id, name FROM sessions") if row["id"] not in ids]
    )
    learnt = once(("learnt", *ids, *heads(store, _READS)), lambda: _learn(store, ids))
    standings = _standings(store, ids, learnt.members, once)
    return Leaderboard(
        sigma=sessions.known(book["sigma"]) if book else None,
        rounds=sum(sessions.rounds_done(store, session) for session in ids),
        members=tuple(standings.values()),
        pooled=tuple(row["name"] for row in pool),
        left_out=tuple(others),
        settled=learnt.settled,
        judges=learnt.judges,
        first=learnt.first,
        second=learnt.second,
        more=learnt.more,
        keys=tuple(standings),
    )


def _learn(store: Store, ids: list[int]) -> _Learnt:
    """The regression over those sessions: the dear part of a leaderboard."""
    from council import refit
    from council.judge import reputation
    from council.views import calibration

    state = refit.pooled(store, ids)
    ahead = reputation.separation(state) if state.settled else None
    judged = reputation.judges(state) if state.settled and state.judges else None
    found: dict[str, Row] = {name: {**_UNKNOWN, "brier_base": None} for name in {*state.members, *state.judges}}
    for skill in reputation.proposers(state, SEED) if state.settled else ():
        e = skill.skill
        found[skill.member] |= {
            "skill": e.value, "skill_low": e.low, "skill_high": e.high, "p_best": skill.p_best,
            "rank_low": skill.rank_low, "rank_high": skill.rank_high,
        }  # fmt: skip
    for name, w in judged.weights.items() if judged else ():
        found[name] |= {"judge_weight": w.value, "judge_low": w.low, "judge_high": w.high}
    for name, came in calibration.read(store, ids).items():
        found.setdefault(name, dict(_UNKNOWN))["brier_base"] = came.base
    return _Learnt(
        settled=state.settled,
        members=found,
        judges=_help(judged) if judged else Help(),
        first=refit.name_of(ahead.first) if ahead else None,
        second=refit.name_of(ahead.second) if ahead else None,
        more=ahead.more if ahead else None,
    )


def _help(judged: Judges) -> Help:
    sure, doubt = judged.total, judged.sceptic
    return Help(sure.value, sure.low, sure.high, judged.shown, doubt.value, doubt.low, doubt.high)


def _standings(store: Store, ids: list[int], learnt: dict[str, Row], once: Once) -> dict[str, Standing]:
    """The members by `key_of` their identity, those first of whom more was kept."""
    from council import refit

    marks = ", ".join("?" * len(ids))
    who = refit.identities(store, ids)
    found: dict[tuple[str, ...], Row] = {}
    of: dict[tuple[int, str], Row] = {}
    for row in store.query(f"SELECT * FROM members WHERE session IN ({marks}) ORDER BY id", *ids):
        identity = who[row["session"], row["name"]]
        named = {k: row[k] for k in ("name", "kind", "model")}
        known = learnt.get(refit.key_of(identity), _UNKNOWN)
        member = found.setdefault(identity, named | dict.fromkeys(_SUMS, 0) | known)
        member["absent"] = row["absent"]
        of[row["session"], row["name"]] = member
    for sql in _QUERIES:
        for row in store.query(sql.format(marks), *ids):
            counted = of.get((row.pop("session"), row.pop("member")), {})
            for column, value in row.items():
                counted[column] = counted.get(column, 0) + (value or 0)
    for session in ids:
        for spent in costs.spent(store, session, once):
            counted = of.get((session, spent.member), {})
            for column in _SPENT:
                counted[column] = counted.get(column, 0) + getattr(spent, column)
    ranked = sorted(found.items(), key=lambda one: (-one[1]["kept"], -one[1]["run"], one[1]["name"]))
    return {refit.key_of(identity): _standing(row) for identity, row in ranked}


def _standing(row: Row) -> Standing:
    others, own = row.pop("brier_others"), row.pop("brier_self")
    n_own = row["settled"] - row["forecasts"]
    return Standing(
        **row,
        brier=others / row["forecasts"] if row["forecasts"] else None,
        brier_own=own / n_own if n_own else None,
    )


_UNKNOWN: Row = dict.fromkeys(
    (
        *("skill", "skill_low", "skill_high", "p_best", "judge_weight", "judge_low", "judge_high"),
        *("rank_low", "rank_high", "brier_base"),
    )
)
_READS = ("members", "tallies", "verdicts", "settlements")
"""The tables of the regression: it changes when a vote is counted or settled, not with every call."""
_SPENT = ("tokens_in", "tokens_out", "cost_usd", "unanswered_usd")
_SUMS = (
    *("proposals", "run", "kept", "bad_replies", "brier_others", "brier_self", "forecasts", "settled", "kept_gain"),
    *_SPENT,
)
_QUERIES = (
    "SELECT session, member, count(*) AS proposals FROM proposals WHERE session IN ({}) AND [replaces] IS NULL "
    "GROUP BY session, member",
    "SELECT e.session, p.member, count(DISTINCT e.[round]) AS run FROM experiments e "
    "JOIN proposals p ON p.id = e.proposal WHERE e.session IN ({}) AND e.role IN ('trial', 'repair', 'runner_up') "
    "GROUP BY e.session, p.member",
    "SELECT v.session, p.member, count(*) AS kept, sum(max(coalesce(v.expected, 0), 0)) AS kept_gain "
    "FROM verdicts v JOIN experiments e ON e.session = v.session "
    "AND e.number = v.number JOIN proposals p ON p.id = e.proposal WHERE v.session IN ({}) AND v.kind = 'keep' "
    "GROUP BY v.session, p.member",
    "SELECT session, judge AS member, sum(own = 0) AS forecasts, count(*) AS settled, "
    "sum(brier * (own = 0)) AS brier_others, sum(brier * (own != 0)) AS brier_self "
    "FROM settlements WHERE session IN ({}) GROUP BY session, judge",
    "SELECT session, member, count(*) AS bad_replies FROM outcomes WHERE session IN ({}) AND kind = 'bad_reply' "
    "GROUP BY session, member",
)
