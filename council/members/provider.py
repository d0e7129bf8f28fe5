"""What a provider of a language model is to a member: one request in, one reply out, or one of a few failures.

What: `Request`, `Reply`, the `Provider` contract and its failures. Why: three libraries fail in three ways, and a night
must survive all of them. How to extend: a new door is one file with a subclass of `Provider`; every exception that its
`complete` lets out must be a `Failure` without a key in it (`provider_failures.failure_of` makes one of any exception).

    Failure (a MemberError)      status         paid for?
    ├── Unauthorised             auth           no
    ├── UnknownModel             not_found      no
    ├── Rejected                 rejected       no       the provider refuses the request itself (400, 413, 422)
    ├── RateLimited              rate_limited   no       asked again, `retry_after` honoured
    ├── Overloaded               overloaded     no       5xx; asked again
    ├── Broken                   network        perhaps  no connection, a reset, a stream cut short; asked again
    │   └── Unreached            network        no       no connection at all
    ├── TooSlow                  timeout        perhaps  the deadline passed, or the bytes only drip
    │   └── NotAsked             timeout        no       it passed before the request was sent
    ├── Malformed                malformed      perhaps  what came back is no reply; asked again once
    ├── TooLong                  too_long       perhaps  more bytes than any reply has
    ├── Truncated                truncated      yes      the reply stops at the limit of tokens
    └── Declined (also Refused)  refused        yes      the model refuses, or a content filter does
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from council.errors import BadReply, MemberError, Refused
from council.types import Miss

Clients = dict[asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


@dataclass(frozen=True)
class Request:
    """One question. `prefix` stays the same from round to round and is worth caching; `prompt` follows it.

    `dialogue` holds (answer, what to say to it) of earlier turns of the same question.
    """

    model: str
    system: str
    prefix: str
    prompt: str
    max_tokens: int
    dialogue: tuple[tuple[str, str], ...] = ()
    temperature: float | None = None
    reasoning: str | int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """What came back. `tokens_in` counts every token of the prompt, those read from and written to a cache included."""

    text: str
    status: str = "ok"
    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_written: int = 0
    tokens_out: int = 0
    request_id: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def counted(self) -> bool:
        """Whether the provider said what it cost."""
        return bool(self.tokens_in or self.tokens_out)


class Failure(MemberError):
    """The provider gave no usable reply. `reply` is what came before it broke off."""

    status: ClassVar[str] = "error"
    again: ClassVar[bool] = False  # whether asking again can help
    billed: ClassVar[bool] = False  # whether it may have cost money although nobody said how much

    def __init__(self, message: str, *, reply: Reply | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.reply = reply
        self.retry_after = retry_after

    @property
    def paid(self) -> bool:
        """Whether it may have cost money: what was counted or came before it broke off is paid for, whatever broke."""
        came = self.reply
        return self.billed or (came is not None and (came.counted or bool(came.text) or "thought" in came.raw))


class Unauthorised(Failure):
    """The key is missing, wrong, or not allowed to use the model (401, 402, 403)."""

    status = "auth"


class UnknownModel(Failure):
    """The provider does not have this model, or the address is wrong (404)."""

    status = "not_found"


class Rejected(Failure):
    """The provider refuses the request itself (400, 413, 422)."""

    status = "rejected"


class RateLimited(Failure):
    """Too many requests (429)."""

    status, again = "rate_limited", True


class Overloaded(Failure):
    """The provider's own trouble (5xx, 529)."""

    status, again = "overloaded", True


class Broken(Failure):
    """No connection, a reset, or a stream that was cut short."""

    status, again, billed = "network", True, True


class Unreached(Broken):
    """There was no connection at all, so nothing was paid for."""

    billed = False


class TooSlow(Failure):
    """No whole reply before the deadline, or bytes that only drip."""

    status, billed, miss = "timeout", True, Miss.TIMEOUT


class NotAsked(TooSlow):
    """The deadline passed before the request was sent."""

    billed = False


class Malformed(Failure, BadReply):
    """What came back is no reply of this provider."""

    status, again, billed, miss = "malformed", True, True, Miss.BAD_REPLY


class TooLong(Failure, BadReply):
    """The reply has more bytes than any reply has."""

    status, billed, miss = "too_long", True, Miss.BAD_REPLY


class Truncated(Failure, BadReply):
    """The reply stops at the limit of tokens."""

    status, billed, miss = "truncated", True, Miss.BAD_REPLY


class Declined(Failure, Refused):
    """The model, or a filter in front of it, refuses to answer."""

    status, billed, miss = "refused", True, Miss.REFUSED


class Provider(ABC):
    """A door to one kind of provider. Owns no retries: one call of `complete` is one request on the wire."""

    kind: ClassVar[str]

    def __init__(self, *, api_key: str | None, base_url: str | None = None) -> None:
        self.api_key = api_key
        self.base_url = base_url
        self._clients: Clients = {}

    @abstractmethod
    def public(self, request: Request) -> dict[str, Any]:
        """The request as it goes over the wire, without keys: what is recorded, and what `complete` sends."""

    @abstractmethod
    async def complete(self, request: Request, seconds: float) -> Reply:
        """Send it once and return the whole reply within `seconds`, or raise a Failure."""

    @abstractmethod
    def connect(self) -> Any:
        """A new client of the library, with its own retries off. May take seconds: it imports the library."""

    async def client(self) -> Any:
        """The client of the running loop, made once at its first use without holding up other members."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients.clear()  # clients of a loop that is gone
            self._clients[loop] = asyncio.ensure_future(asyncio.to_thread(self.connect))
        try:
            return await asyncio.shield(self._clients[loop])
        except ImportError:
            self._clients.clear()
            raise
