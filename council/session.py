"""A session: one `council run`, from opening the database to the commit that closes it.

It alone says when each graph runs: the baseline is measured, then deliberation and experiments alternate until a stop.
Everything it knows on the way is in the database, so `--resume` is the same loop begun at the last round that started.
"""

from __future__ import annotations

import asyncio
import os
import platform
import secrets
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from council import __version__, deliberation, experiment, records
from council.assembly import executor_of
from council.baseline import ground
from council.calls import Calls
from council.closing import Stopped, close_session, sentence
from council.config import to_public
from council.errors import CouncilError, MachineFault
from council.events import Emit, Event
from council.live import live
from council.lock import hold
from council.plan import Plan, Prepared, budget_of, plan, prepare, program_text
from council.repo import Repo
from council.room import MEMBER_SECONDS, Room
from council.running import runs
from council.stops import broke, late
from council.store import Row, Store, now
from council.terms import Request
from council.types import Role

__all__ = ["Ending", "Plan", "Request", "plan", "run"]

VERSIONED = ("torch", "numpy", "tiktoken", "langgraph", "optuna", "anthropic", "openai", "litellm")
"""Packages whose versions are stored with the session."""


@dataclass(frozen=True)
class Ending:
    """How a run ended: exit code 0 ok, 1 failed or paused, 130 interrupted, 143 terminated."""

    session: str
    exit_code: int
    reason: str


def run(request: Request, emit: Emit) -> Ending:
    """Run a session to its end. Holds the lock; Ctrl-C once stops after the experiment, twice or SIGTERM at once."""
    return _hold(request, emit, lambda night: night.run())


def _hold(request: Request, emit: Emit, work: Callable[[Night], Ending]) -> Ending:
    repo = Repo.open(request.root)
    home = repo.home()
    with hold(home / "lock"), live(home / "live.json", emit) as told:
        ready = prepare(request)
        repo.sweep()
        store = Store(home / "council.db")
        try:
            return work(Night(ready, store, told))
        finally:
            store.close()


def confirm(request: Request, pairs: int | str, emit: Emit) -> Ending:
    """Hold a closing of `pairs` (a number, or blocks like 3+3) for a session that `request.resume` names."""
    return _hold(request, emit, lambda night: night.run(lambda: night.confirm(pairs)))


class Night:
    """The loop of one run of a session."""

    def __init__(self, ready: Prepared, store: Store, emit: Emit) -> None:
        self.ready = ready
        self.store = store
        self.emit = emit
        self.killed: int | None = None
        self.room = self._room()
        self.calls = Calls(store, self.room.sid, ready.members, cap=ready.config.stop.max_usd)
        store.secrets = self.calls.values

    def _room(self) -> Room:
        ready, config = self.ready, self.ready.config
        session = ready.old or self._open_session()
        executor = executor_of(config)
        executor.sandbox = ready.sandbox
        return Room(
            store=self.store,
            repo=ready.repo,
            session=session,
            members=ready.members,
            judges=ready.judges,
            executor=executor,
            rule=ready.judge["rule"],
            budget=budget_of(config),
            device=config.lab.device,
            sandbox=ready.sandbox,
            emit=self.emit,
            p_keep=ready.judge["p_keep"],
            member_seconds=max(MEMBER_SECONDS, *(2 * m.timeout + 20 for m in ready.members.values())),
        )

    def _open_session(self) -> Row:
        ready = self.ready
        versions: dict[str, str] = {"council": __version__, "python": platform.python_version()}
        for package in VERSIONED:
            with suppress(PackageNotFoundError):
                versions[package] = version(package)
        row = {
            "name": ready.name,
            "at": now(),
            "seed": secrets.token_hex(32),
            "commit": ready.commit,
            "config": {**to_public(ready.config), "offline": ready.terms.offline},
            "program": program_text(ready.repo, ready.config.program),
            "budget": budget_of(ready.config),
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
                        "model": m.model,
                        "options": m.model_dump(mode="json", exclude={"name", "kind", "model"}, exclude_none=True),
                        "template": getattr(present, "template", None),
                        "votes": m.name in ready.judges,
                        "absent": ready.absent.get(m.name),
                    },
                )
        return self.store.get("sessions", session)

    def run(self, work: Callable[[], Awaitable[tuple[int, str]]] | None = None) -> Ending:
        """Run until a stop (or only `work`), record how it ended, and anchor the ledger in git."""
        self.room.say(
            "session",
            f"session {self.room.name} {'goes on' if self.ready.old else 'starts'}",
            data={"session": self.room.name, "pid": os.getpid(), "rounds": self.ready.config.stop.rounds},
        )
        code, reason = 1, "failed"
        try:
            code, reason = asyncio.run(self._main(work or self._rounds))
        except MachineFault as error:
            reason = f"paused: {error}"
        except CouncilError as error:
            error.kept = error.kept or f"Every finished step of session {self.room.name} is kept."
            if error.resumable:
                error.hint = f"{error.hint}\nGo on with: council run --resume {self.room.name}".strip()
            reason = error.message
            raise
        finally:
            with suppress(CouncilError):
                self._close(code, reason)
        self.room.say("end", reason, data={"session": self.room.name, "exit_code": code})
        return Ending(self.room.name, code, reason)

    async def _main(self, work: Callable[[], Awaitable[tuple[int, str]]]) -> tuple[int, str]:
        task = asyncio.current_task()
        assert task is not None
        with _signals(self, task):
            try:
                return await work()
            except Stopped:
                return 130, "stopped during the closing"
            except asyncio.CancelledError:
                if self.killed is None:
                    raise
                return 128 + self.killed, "stopped at once"

    async def _rounds(self) -> tuple[int, str]:
        room, total, hour = self.room, self.ready.config.stop.rounds, self.ready.terms.until
        council, experiments = deliberation.build(room), experiment.build(room)
        last = self.store.one("rounds", order="round DESC", session=room.sid)
        round_ = last["round"] if last else 1
        while True:
            await ground(room)
            if self.room.stopping:
                return 130, "stopped after the experiment"
            if reason := late(hour, datetime.now()) or broke(self.store, room.sid, round_ - 1, room.members):
                await close_session(room, self.ready.config.judge.closing_pairs)
                return 0, reason
            if round_ > total:
                await close_session(room, self.ready.config.judge.closing_pairs)
                return 0, f"{total} round{'s' * (total != 1)} done"
            if not runs(room, round_):  # what has run was voted on; a member that is new here comes too late for it
                await council.ainvoke({"round": round_}, {"recursion_limit": 100})
            if self.room.stopping:
                return 130, "stopped after the deliberation"
            await experiments.ainvoke({"round": round_}, {"recursion_limit": 100})
            self._check_machine(round_)
            room.say("step", f"round {round_} done", round=round_, step="settle")
            round_ += 1

    async def confirm(self, setting: int | str) -> tuple[int, str]:
        """The work of `council confirm`: the closing alone."""
        await ground(self.room)
        row = await close_session(self.room, setting, again=True)
        if row is None:
            return 0, "the baseline is still the best: there is no gain to confirm"
        return 0, sentence(row)

    def _check_machine(self, round_: int) -> None:
        """A replicate of code that once ran is the test of the machine; if that fails, more rounds are waste."""
        done = runs(self.room, round_)
        if done and done[-1]["role"] == Role.REPLICATE and done[-1]["status"] != "ok":
            raise MachineFault(
                f"the incumbent, which ran before, ended as {done[-1]['status']}: {done[-1]['reason']}",
                kept="The machine is at fault, not the edits; every round so far is kept.",
                hint=f"See `council doctor`, then: council run --resume {self.room.name}",
            )

    def _close(self, code: int, reason: str) -> None:
        """Record the end, and let an empty commit carry the ledger's head."""
        done = _complete_rounds(self.room)
        with self.store.atomic():
            self.store.insert(
                "session_ends",
                {
                    "session": self.room.sid,
                    "at": now(),
                    "reason": reason,
                    "exit_code": code,
                    "rounds": done,
                    "summary": _confirmed(self.room),
                },
            )
        trailers = {
            "Council-Round": str(done),
            "Council-Member": "-",
            "Council-Ledger": "{} {}".format(*self.store.head()),
        }
        parent = self.room.repo.get_ref(f"refs/heads/council/{self.room.name}") or self.room.baseline
        commit = self.room.repo.empty_commit(parent, subject=f"{self.room.name} end: {reason}", trailers=trailers)
        self.room.repo.set_ref(f"refs/council/{self.room.name}/end", commit)


def _confirmed(room: Room) -> Row:
    """What the last closing said of the present incumbent, if one was held."""
    found, last = records.book(room.store, room.sid), room.store.one("closings", order="id DESC", session=room.sid)
    if found is None or last is None or last["inputs"]["commit"] != found[0].commit:
        return {"confirmed": None}
    return {"confirmed": bool(last["confirmed"]), "gain": last["gain"], "low": last["low"]}


def _complete_rounds(room: Room) -> int:
    """Rounds whose last experiment is measured, judged and settled."""
    last = room.store.one("rounds", order="round DESC", session=room.sid)
    if last is None:
        return 0
    done = runs(room, last["round"])
    judged = bool(done) and (done[-1]["kind"] is not None or (done[-1]["role"] == "replicate" and done[-1]["status"]))
    owed = any(r["settles"] and not room.store.one("reputation", session=room.sid, number=r["number"]) for r in done)
    return int(last["round"]) if judged and not owed else int(last["round"]) - 1


@contextmanager
def _signals(night: Night, task: asyncio.Task[object]) -> Iterator[None]:
    """SIGINT once asks for a stop after the experiment; twice, or SIGTERM, cancels at once."""
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        if night.room.stopping:
            terminate(signal.SIGINT)
            return
        night.room.stopping = True
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
