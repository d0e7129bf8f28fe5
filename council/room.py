"""The room: what the two graphs of a session share, and the one way to ask a member for something.

Holds the store, the repository, the members and the executor of one session. Chance comes from `seed_for` alone, so a
resumed session draws what the killed one would have drawn. A member that fails yields an Outcome, never an exception.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from council.calls import resting
from council.errors import CouncilError, MemberError
from council.events import Emit, Event
from council.executors.base import Executor
from council.learned import Learner
from council.members.base import Member
from council.repo import Repo
from council.store import Row, Store, digest, now
from council.types import Miss, Turn

T = TypeVar("T")
DETAIL_LIMIT = 2000
MEMBER_SECONDS = 600.0
"""Longest a member may take for one answer."""


@dataclass
class Room:
    """One session and everything its steps need."""

    store: Store
    repo: Repo
    session: Row
    members: dict[str, Member]
    judges: tuple[str, ...]
    executor: Executor
    rule: str
    budget: float | None
    device: str
    sandbox: str
    emit: Emit
    member_seconds: float = MEMBER_SECONDS
    started: float = field(default_factory=now)
    stopping: bool = False
    p_keep: float = 0.5
    smoke_slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    def __post_init__(self) -> None:
        self.learner = Learner(self.store, self.sid)

    @property
    def sid(self) -> int:
        """The id of the session's row."""
        return int(self.session["id"])

    @property
    def name(self) -> str:
        """The session's name."""
        return str(self.session["name"])

    @property
    def baseline(self) -> str:
        """The commit the session started from."""
        return str(self.session["commit"])

    def hash_for(self, *key: object) -> str:
        """SHA-256 over canonical JSON of (session seed, key...), in hex."""
        return digest([self.session["seed"], *key])

    def seed_for(self, *key: object) -> int:
        """63 bits of chance that depend on the session's seed and the key alone."""
        return int(self.hash_for(*key)[:16], 16) >> 1

    def turn(self, round_: int, step: str, member: str, attempt: int = 1, complaint: str = "") -> Turn:
        """The turn of a member at a step."""
        seed = self.seed_for(round_, step, member, attempt)
        return Turn(self.name, round_, step, member, attempt, seed, complaint)

    def say(self, kind: str, text: str, **more: object) -> None:
        """Tell the faces."""
        self.emit(Event(kind, text, **more))  # type: ignore[arg-type]

    async def ask(
        self, turn: Turn, question: Callable[[], Awaitable[object]], read: Callable[[Any], T]
    ) -> tuple[T | None, Row | None]:
        """(answer, None) or (None, the row of an outcome that says why there is none).

        `read` makes what the member gave an answer, or raises BadReply. A member that was here when the session was
        killed may be gone when it goes on.
        """
        if turn.member not in self.members:
            return None, self.outcome(turn, Miss.ABSENT, "it is not here any more")
        if self.members[turn.member].is_llm:
            rests = resting(self.store, self.sid, turn.member, turn.round)
            if rests >= turn.round:
                told = f"failed five rounds running; it is asked again in round {rests + 1}"
                return None, self.outcome(turn, Miss.RESTING, told)
        try:
            async with asyncio.timeout(self.member_seconds):
                answer = await question()
            if answer is not None:
                return read(answer), None
            kind, detail = Miss.ABSTAINED, ""
        except asyncio.CancelledError as error:  # the session's own end, or something inside the member's
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            kind, detail = Miss.ERROR, f"{type(error).__name__}: {error}"
        except TimeoutError:
            kind, detail = Miss.TIMEOUT, f"no answer within {self.member_seconds:g} s"
        except MemberError as error:
            kind, detail = error.miss, str(error)
        except CouncilError:
            raise
        except Exception as error:  # a member's own fault must not end the night
            kind, detail = Miss.ERROR, f"{type(error).__name__}: {error}"
        return None, self.outcome(turn, kind, detail)

    def outcome(self, turn: Turn, kind: Miss, detail: str) -> Row:
        """The row that says why a member delivered nothing at its turn."""
        if kind is not Miss.ABSTAINED:
            self.say(
                "member",
                f"{turn.member} delivered nothing: {kind.value.replace('_', ' ')} {detail[:160]}".rstrip(),
                round=turn.round,
                step=turn.step,
                member=turn.member,
            )
        return {
            "session": self.sid,
            "round": turn.round,
            "step": turn.step,
            "member": turn.member,
            "attempt": turn.attempt,
            "at": now(),
            "kind": kind.value,
            "detail": detail[:DETAIL_LIMIT],
        }
