"""A session: one `council run`, from opening the database to the commit that closes it.

It alone says when each graph runs: the baseline is measured, then deliberation and experiments alternate until a stop.
Everything it knows on the way is in the database, so `--resume` is the same loop begun at the last round that started.
`plan` says beforehand what `run` would do.
"""

from __future__ import annotations

import asyncio
import os
import platform
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from council import __version__, deliberation, experiment
from council.assembly import executor_of, judges_of, members_of
from council.baseline import ground
from council.config import Config, load, to_public
from council.errors import CouncilError, MachineFault, NoCouncil, UsageError
from council.events import Emit, Event
from council.live import live
from council.lock import hold
from council.members.base import Member
from council.repo import Repo, valid_session_name
from council.room import Room
from council.running import runs
from council.store import Row, Store, now
from council.types import Role

VERSIONED = ("torch", "numpy", "tiktoken", "langgraph", "optuna")
"""Packages whose versions are stored with the session."""


@dataclass(frozen=True)
class Request:
    """What the command line asked for. `resume`: None for a new session, '' for the last one, else a name."""

    root: Path
    config: Path
    rounds: int | None = None
    budget: float | None = None
    offline: bool = False
    session: str | None = None
    resume: str | None = None
    from_worktree: bool = False
    accept_unsandboxed: bool = False


@dataclass(frozen=True)
class Plan:
    """What a run will do. `members` are (name, kind, why absent or '')."""

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


@dataclass(frozen=True)
class Ending:
    """How a run ended: exit code 0 ok, 1 failed or paused, 130 interrupted, 143 terminated."""

    session: str
    exit_code: int
    reason: str


@dataclass
class Prepared:
    """Everything read and checked, nothing written."""

    request: Request
    repo: Repo
    config: Config
    members: dict[str, Member]
    absent: dict[str, str]
    name: str
    old: Row | None
    commit: str
    done: int


def plan(request: Request) -> Plan:
    """What `run` would do with this request. Writes nothing; raises CouncilError where `run` would refuse."""
    return _planned(_prepare(request))


def _planned(ready: Prepared) -> Plan:
    kinds = {m.name: m.kind for m in ready.config.members}
    notes = [] if len(ready.members) > 2 else ["with two members each ballot ranks one proposal"]
    return Plan(
        session=ready.name,
        resumed=ready.old is not None,
        rounds=ready.config.stop.rounds,
        done=ready.done,
        budget=_budget(ready.config),
        members=tuple((name, kind, ready.absent.get(name, "")) for name, kind in kinds.items()),
        judges=judges_of(ready.members),
        rule=ready.config.judge.rule,
        device=ready.config.lab.device,
        sandbox="none",
        notes=tuple(notes),
    )


def _budget(config: Config) -> float | None:
    return None if config.lab.budget == "auto" else float(config.lab.budget)


def _prepare(request: Request) -> Prepared:
    config = load(request.config).override(budget=request.budget, rounds=request.rounds)
    repo = Repo.open(request.root)
    repo.check_free()
    path = repo.root / ".council" / "council.db"
    store = Store(path, read_only=True) if path.exists() and path.stat().st_size else None
    try:
        old = _resumed(store, request)
        name = old["name"] if old else _name(store, request)
        done = _rounds_done(store, old["id"]) if store and old else 0
    finally:
        if store:
            store.close()
    commit = old["commit"] if old else repo.start_commit(from_worktree=request.from_worktree, program=config.program)
    if not old:
        _program(repo, config.program)
    members, absent = members_of(config, offline=request.offline)
    if len(members) < 2:
        why = "; ".join(f"{name}: {reason}" for name, reason in absent.items()) or "council.yaml names only one"
        raise NoCouncil(f"a council needs two members, {len(members)} is present ({why})",
                        hint="Add members to council.yaml; random, optuna and textbook need no key.")
    return Prepared(request, repo, config, members, absent, name, old, commit, done)


def _program(repo: Repo, path: str) -> str:
    file = repo.root / path
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"there is no {path} in {repo.root}",
                         hint="It holds your research instructions; `council init DIR` writes one to start from.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error


def _resumed(store: Store | None, request: Request) -> Row | None:
    if request.resume is None:
        return None
    wanted = {"name": request.resume} if request.resume else {}
    found = store.one("sessions", order="id DESC", **wanted) if store else None
    if found is None:
        names = [r["name"] for r in store.rows("sessions", order="id DESC")][:5] if store else []
        raise UsageError(f"there is no session {request.resume or 'to resume'}",
                         hint=f"Known sessions: {', '.join(names) or 'none'}.")
    return found


def _name(store: Store | None, request: Request) -> str:
    taken = {r["name"] for r in store.query("SELECT name FROM sessions")} if store else set()
    if request.session:
        if not valid_session_name(request.session):
            raise UsageError(f"--session: {request.session!r} is not a name",
                             hint="Use letters, digits, dot, dash and underscore, at most 64.")
        if request.session in taken:
            raise UsageError(f"the session {request.session} exists",
                             hint=f"Go on with it: council run --resume {request.session}")
        return request.session
    day, count = datetime.now().strftime("%Y-%m-%d"), 1
    while (name := day if count == 1 else f"{day}-{count}") in taken:
        count += 1
    return name


def _rounds_done(store: Store, session: int) -> int:
    found = store.one("session_ends", order="id DESC", session=session)
    last = store.one("rounds", order="round DESC", session=session)
    return max(found["rounds"] if found else 0, (last["round"] - 1) if last else 0)


def run(request: Request, emit: Emit) -> Ending:
    """Run a session to its end. Holds the lock; Ctrl-C once stops after the experiment, twice or SIGTERM at once."""
    repo = Repo.open(request.root)
    home = repo.home()
    with hold(home / "lock"), live(home / "live.json", emit) as told:
        ready = _prepare(request)
        repo.sweep()
        store = Store(home / "council.db")
        try:
            return Night(ready, store, told).run()
        finally:
            store.close()


class Night:
    """The loop of one run of a session."""

    def __init__(self, ready: Prepared, store: Store, emit: Emit) -> None:
        self.ready = ready
        self.store = store
        self.emit = emit
        self.asked_to_stop = False
        self.killed: int | None = None
        self.room = self._room()

    def _room(self) -> Room:
        ready, config = self.ready, self.ready.config
        session = ready.old or self._open_session()
        voters = {m["name"] for m in self.store.rows("members", session=session["id"], votes=1)}
        return Room(
            store=self.store,
            repo=ready.repo,
            session=session,
            members=ready.members,
            judges=tuple(sorted(voters & set(ready.members))),
            executor=executor_of(config),
            rule=config.judge.rule,
            budget=_budget(config) if ready.request.budget or not ready.old else session["budget"],
            device=config.lab.device,
            sandbox=config.lab.sandbox,
            emit=self.emit,
        )

    def _open_session(self) -> Row:
        ready, judges = self.ready, judges_of(self.ready.members)
        versions: dict[str, str] = {"council": __version__, "python": platform.python_version()}
        for package in VERSIONED:
            with suppress(PackageNotFoundError):
                versions[package] = version(package)
        row = {
            "name": ready.name,
            "at": now(),
            "seed": secrets.token_hex(32),
            "commit": ready.commit,
            "config": to_public(ready.config),
            "program": _program(ready.repo, ready.config.program),
            "budget": _budget(ready.config),
            "versions": versions,
        }
        with self.store.atomic():
            session = self.store.insert("sessions", row)
            for m in ready.config.members:
                present = ready.members.get(m.name)
                self.store.insert(
                    "members",
                    {
                        "session": session,
                        "name": m.name,
                        "kind": m.kind,
                        "model": present.model if present else None,
                        "options": m.options,
                        "votes": m.name in judges,
                        "absent": ready.absent.get(m.name),
                    },
                )
        return self.store.get("sessions", session)

    def run(self) -> Ending:
        """Run until a stop, record how it ended, and anchor the ledger in git."""
        self.room.say("session", f"session {self.room.name} {'goes on' if self.ready.old else 'starts'}",
                      data={"session": self.room.name, "pid": os.getpid(), "rounds": self.ready.config.stop.rounds})
        code, reason = 1, "failed"
        try:
            code, reason = asyncio.run(self._main())
        except MachineFault as error:
            reason = f"paused: {error}"
        except CouncilError as error:
            error.kept = error.kept or f"Every finished step of session {self.room.name} is kept."
            error.hint = f"{error.hint}\nGo on with: council run --resume {self.room.name}".strip()
            reason = error.message
            raise
        finally:
            with suppress(CouncilError):
                self._close(code, reason)
        self.room.say("end", reason, data={"session": self.room.name, "exit_code": code})
        return Ending(self.room.name, code, reason)

    async def _main(self) -> tuple[int, str]:
        task = asyncio.current_task()
        assert task is not None
        with _signals(self, task):
            try:
                return await self._rounds()
            except asyncio.CancelledError:
                if self.killed is None:
                    raise
                return 128 + self.killed, "stopped at once"

    async def _rounds(self) -> tuple[int, str]:
        room, total = self.room, self.ready.config.stop.rounds
        council, experiments = deliberation.build(room), experiment.build(room)
        last = self.store.one("rounds", order="round DESC", session=room.sid)
        round_ = last["round"] if last else 1
        while True:
            await ground(room)
            if self.asked_to_stop:
                return 130, "stopped after the experiment"
            if round_ > total:
                return 0, f"{total} rounds done"
            await council.ainvoke({"round": round_}, {"recursion_limit": 100})
            if self.asked_to_stop:
                return 130, "stopped after the deliberation"
            await experiments.ainvoke({"round": round_}, {"recursion_limit": 100})
            self._check_machine(round_)
            self._anchor(round_)
            round_ += 1

    def _check_machine(self, round_: int) -> None:
        """A replicate of code that once ran is the test of the machine; if that fails, more rounds are waste."""
        done = runs(self.room, round_)
        if done and done[-1]["role"] == Role.REPLICATE and done[-1]["status"] != "ok":
            raise MachineFault(
                f"the incumbent, which ran before, ended as {done[-1]['status']}: {done[-1]['reason']}",
                kept="The machine is at fault, not the edits; every round so far is kept.",
                hint=f"See `council doctor`, then: council run --resume {self.room.name}",
            )

    def _anchor(self, round_: int) -> None:
        self.room.say("step", f"round {round_} done", round=round_, step="settle")

    def _close(self, code: int, reason: str) -> None:
        """Record the end, and let an empty commit carry the ledger's head."""
        done = _complete_rounds(self.room)
        with self.store.atomic():
            self.store.insert(
                "session_ends",
                {"session": self.room.sid, "at": now(), "reason": reason, "exit_code": code, "rounds": done,
                 "summary": {"confirmed": None}},
            )
        trailers = {"Council-Round": str(done), "Council-Member": "-", "Council-Ledger": "{} {}".format(*self.store.head())}
        parent = self.room.repo.get_ref(f"refs/heads/council/{self.room.name}") or self.room.baseline
        commit = self.room.repo.empty_commit(parent, subject=f"{self.room.name} end: {reason}", trailers=trailers)
        self.room.repo.set_ref(f"refs/council/{self.room.name}/end", commit)


def _complete_rounds(room: Room) -> int:
    """Rounds whose last experiment is measured and judged."""
    last = room.store.one("rounds", order="round DESC", session=room.sid)
    if last is None:
        return 0
    done = runs(room, last["round"])
    judged = bool(done) and (done[-1]["kind"] is not None or (done[-1]["role"] == "replicate" and done[-1]["status"]))
    return int(last["round"]) if judged else int(last["round"]) - 1


@contextmanager
def _signals(night: Night, task: asyncio.Task[object]) -> Iterator[None]:
    """SIGINT once asks for a stop after the experiment; twice, or SIGTERM, cancels at once."""
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        if night.asked_to_stop:
            terminate(signal.SIGINT)
            return
        night.asked_to_stop = True
        night.emit(Event("warning", "stopping after the experiment; press Ctrl-C again to stop at once"))

    def terminate(number: int) -> None:
        night.killed = number
        task.cancel()

    loop.add_signal_handler(signal.SIGINT, interrupt)
    loop.add_signal_handler(signal.SIGTERM, terminate, signal.SIGTERM)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        loop.remove_signal_handler(signal.SIGTERM)
