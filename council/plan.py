"""What a run would do, found out before anything is written: the session, its members, its start.

`plan` answers `--dry-run` and the lines a user sees before the start; `prepare` is the same for `run`. Both refuse with
a CouncilError whatever would end the night later: a broken council.yaml, a dirty train.py, a single member.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from council import judge, pace, spend
from council.assembly import judges_of, members_of
from council.config import Config, load, to_public
from council.config_members import BUILT_IN
from council.errors import ConfigError, MachineFault, NoCouncil, UsageError
from council.executors.local import tier_here
from council.members.base import Member
from council.past import Past, look_back
from council.repo import Repo
from council.stops import late
from council.store import Row
from council.terms import Request, Terms, agreed
from council.types import TRAIN_PY
from council.voting import FORECAST

__all__ = ["Plan", "Prepared", "Request", "budget_of", "plan", "prepare", "program_text"]


@dataclass(frozen=True)
class Plan:
    """What a run will do. `members` are (name, kind, why absent or '').

    `ahead` is how many rounds are left, or that the cap buys where the session ends without dollars; `waiting` how many
    seconds they wait for their members. `until` is the moment after which no round begins.
    """

    session: str
    resumed: bool
    rounds: int
    done: int
    budget: float | None
    members: tuple[tuple[str, str, str], ...]
    judges: tuple[str, ...]
    rule: str
    device: str
    sandbox: str
    notes: tuple[str, ...]
    ahead: int
    waiting: float
    until: str | None = None


@dataclass
class Prepared:
    """Everything read and checked, nothing written."""

    request: Request
    repo: Repo
    terms: Terms
    members: dict[str, Member]
    absent: dict[str, str]
    past: Past
    commit: str
    sandbox: str

    @property
    def config(self) -> Config:
        """The configuration that holds."""
        return self.terms.config

    @property
    def old(self) -> Row | None:
        """The session that goes on, None for a new one."""
        return self.past.session

    @property
    def name(self) -> str:
        """The session's name."""
        return self.past.name

    @property
    def judges(self) -> tuple[str, ...]:
        """Who votes: fixed when a session opens, but for those that are gone."""
        return tuple(sorted(self.past.voters & set(self.members))) if self.old else judges_of(self.members)

    @property
    def judge(self) -> dict[str, Any]:
        """How ballots become a pick: as it was when the session opened."""
        return _judge(self.config, self.old)


def plan(request: Request) -> Plan:
    """What `run` would do with this request. Writes nothing; raises CouncilError where `run` would refuse."""
    return _planned(prepare(request))


def _planned(ready: Prepared) -> Plan:
    kinds = {m.name: m.kind for m in ready.config.members}
    notes = [] if len(ready.members) > 2 else ["with two members each ballot ranks one proposal"]
    bill, paid = _bill(ready)
    left = max(0, ready.config.stop.rounds - ready.past.done)
    ahead = left if paid is None or len(spend.free(ready.members)) > 1 else min(left, max(1, paid))
    asked = ahead if paid is None else min(ahead, max(1, paid))
    hour = ready.terms.until
    return Plan(
        session=ready.name,
        resumed=ready.old is not None,
        rounds=ready.config.stop.rounds,
        done=ready.past.done,
        budget=budget_of(ready.config),
        members=tuple((name, kind, ready.absent.get(name, "")) for name, kind in kinds.items()),
        judges=ready.judges,
        rule=ready.judge["rule"],
        device=ready.config.lab.device,
        sandbox=ready.sandbox,
        notes=(*notes, *([bill] if bill else []), *_told(ready)),
        ahead=ahead,
        waiting=asked * pace.a_round(ready.members, ready.past.timed) + (ahead - asked) * pace.AROUND,
        until=f"{hour:%Y-%m-%d %H:%M}" if hour else None,
    )


def _told(ready: Prepared) -> Iterator[str]:
    """What a resumed session remembers or has done, in sentences."""
    if ready.old and ready.terms.offline and not ready.request.offline:
        yield "it was opened offline; --online seats the members that need the network"
    if ready.old and ready.past.done >= ready.config.stop.rounds:
        yield f"all its rounds are done; to go further say how many in total: --rounds {ready.past.done + 6}"


def _bill(ready: Prepared) -> tuple[str, int | None]:
    """(what the rounds will cost, from real prompts; how many of them the cap buys); ('', None) if nothing is to pay.

    Raises ConfigError on unknown prices.
    """
    stop, text = ready.config.stop, program_text(ready.repo, ready.config.program)
    brief = spend.first_brief(text, ready.repo.read(ready.commit, TRAIN_PY), "cpu")
    dollars, left = sum(spend.estimate(ready.members, brief).values()), max(0, stop.rounds - ready.past.done)
    if not dollars or not left:
        return "", None
    money = (dollars, left, stop.max_usd, ready.past.spent)
    return spend.sentence(*money, spend.free(ready.members)), spend.bought(*money)


def budget_of(config: Config) -> float | None:
    return None if config.lab.budget == "auto" else float(config.lab.budget)


def prepare(request: Request) -> Prepared:
    told = load(request.config)
    repo = Repo.open(request.root)
    repo.check_free()
    past = look_back(repo.root / ".council" / "council.db", request)
    old = past.session
    terms = agreed(request, told, old, past.begun)
    config = terms.config
    if old and not request.confirm:
        terms = _in_time(terms, past.name, past.done)
    _check_rule(config, old)
    commit = old["commit"] if old else repo.start_commit(from_worktree=request.from_worktree, program=config.program)
    if not old:
        _check_program(config, repo)
    members, absent = members_of(config, offline=terms.offline)
    if len(members) < 2 and not request.confirm:
        why = "; ".join(f"{name}: {reason}" for name, reason in absent.items()) or "council.yaml names only one"
        raise NoCouncil(
            f"a council needs two members, {len(members)} is present ({why})",
            hint="Add members to council.yaml; random, optuna and textbook need no key.",
        )
    sandbox = _sandbox(request, terms, members, past.strange)
    return Prepared(request, repo, terms, members, absent, past, commit, sandbox)


def _in_time(terms: Terms, name: str, done: int) -> Terms:
    """The terms of a session that goes on. Raises UsageError if its hour is over and rounds are left.

    One whose rounds are all done has only its closing before it, for which no hour counts.
    """
    if done >= terms.config.stop.rounds:
        return replace(terms, until=None)
    if terms.until and late(terms.until, datetime.now()):
        raise UsageError(
            f"the hour to stop of session {name} is over: {terms.until:%H:%M} on {terms.until:%Y-%m-%d}",
            kept=f"Nothing was started; {done} of {terms.config.stop.rounds} rounds are done and kept.",
            hint=f"Say until when it goes on: council run --resume {name} --until HH:MM, or --until never.",
        )
    return terms


def _judge(config: Config, old: Row | None) -> dict[str, Any]:
    return {**to_public(config)["judge"], **(old["config"].get("judge", {}) if old else {})}


def _check_rule(config: Config, old: Row | None) -> None:
    """Load the rule that will count, so that one that is not there fails now. Raises ConfigError."""
    if (name := _judge(config, old)["rule"]) == FORECAST:
        return
    try:
        judge.rule(name)
    except ConfigError as error:
        if name != config.judge.rule:  # the session was opened with it; the file says another
            raise
        raise config.source.wrong(("judge", "rule"), error.message, error.hint) from error


def _check_program(config: Config, repo: Repo) -> None:
    """Read the instructions once, so that a file that is not there fails now. Raises ConfigError."""
    try:
        program_text(repo, config.program)
    except UsageError as error:
        raise config.source.wrong(("program",), error.message, error.hint) from error


def _sandbox(request: Request, terms: Terms, members: dict[str, Member], strange: bool) -> str:
    """The tier edited code is shut into. Raises MachineFault if there is none and nobody accepted that.

    Built-in members that need no network change train.py in known ways only: alone they may run without, unless the
    session holds a `strange` edit of another member, on which they would build.
    """
    config = terms.config
    kinds = {m.name: m.kind for m in config.members}
    known = terms.offline and not strange and all(kinds[name] in BUILT_IN for name in members)
    asked = config.lab.sandbox
    tier, problem = ("none", "lab.sandbox is none") if asked == "none" else tier_here(asked)
    if tier == "none" and not (known or request.accept_unsandboxed):
        raise MachineFault(
            f"edited code would run unsandboxed, with your rights: {problem}",
            hint="Mend it and see: python -m lab selftest. Or accept it: council run --i-accept-unsandboxed",
        )
    return tier


def program_text(repo: Repo, path: str) -> str:
    file = repo.root / path
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(
            f"there is no {path} in {repo.root}",
            hint="It holds your research instructions; `council init DIR` writes one to start from.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
