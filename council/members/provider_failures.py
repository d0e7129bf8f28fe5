"""What a library's exception means to a member: one of the few failures of `provider.py`.

What: `failure_of` reads any exception of openai, anthropic, litellm or httpx. Why: they differ in wording only. How to
extend: a library that fails in words of its own gets its line in `_by_name` or `WORDS`. Imports no library: exceptions
are told apart by the names of their classes, by the status of the response, and by what its body says.
"""

from __future__ import annotations

import json
import math
import re
import time
from email.utils import parsedate_to_datetime
from typing import Any

from council.members.provider import (
    Broken,
    Declined,
    Failure,
    Malformed,
    Overloaded,
    RateLimited,
    Rejected,
    Reply,
    TooSlow,
    Unauthorised,
    UnknownModel,
    Unreached,
)
from council.redact import redact

SAID_LIMIT = 300
WORDS = {
    "insufficient_quota": 402,
    "exceeded your current quota": 402,
    "insufficient balance": 402,
    "authentication": 401,
    "invalid_api_key": 401,
    "overloaded": 529,
    "rate_limit": 429,
    "server_error": 500,
    "api_error": 500,
}
"""What an error in the middle of a stream says, and the status that it stands for."""
FILTERED = ("content_filter", "content_policy", "content management policy")
BROKE_OFF = ("ConnectionError", "RemoteProtocolError", "ReadError", "WriteError", "ClientPayloadError")
_CODE = re.compile(r'"(?:code|status|status_code)": ?"?([45]\d\d)\b')


class StreamError(Exception):
    """The provider reported an error in the middle of a stream."""


def failure_of(error: BaseException, so_far: Reply, status: int = 0, key: str | None = None) -> Failure:
    """The failure that an exception of any of the libraries stands for, with what had come and without the key.

    `status` is that of the response, 0 where none was seen; libraries give one to faults that never had one.
    """
    for seen in _chain(error):
        if isinstance(seen, Failure):
            seen.reply = seen.reply or so_far
            return seen
    words = " ".join(redact(str(error), [key or ""]).split())[:SAID_LIMIT]
    said = f"{type(error).__name__}: {words}".removesuffix(": ")
    body = _body(error, so_far)
    if 400 <= status < 500 and any(word in body for word in FILTERED):
        return Declined(said, reply=so_far)
    if found := _by_name(error, said, so_far, status):
        return found
    if not status:
        status = next((s for e in _chain(error) if isinstance(s := getattr(e, "status_code", None), int)), 0)
    if status < 300:  # an error inside a stream that began well
        status = _status_in(body)
    return _by_status(status, said, so_far, body, retry_after(error))


def _by_name(error: BaseException, said: str, so_far: Reply, status: int) -> Failure | None:
    names = " ".join(kind.__name__ for seen in _chain(error) for kind in type(seen).__mro__)
    if "ContentPolicy" in names or any(word in said for word in FILTERED[:2]):
        return Declined(said, reply=so_far)
    if "Timeout" in names and (status < 400 or status == 408):
        return TooSlow(f"no whole reply in time ({said})", reply=so_far)
    if status >= 300:
        return None  # a whole answer of the provider: its status says what it is
    if any(name in names for name in ("JSONDecodeError", "ValidationError", "UnicodeDecodeError", "DecodingError")):
        return Malformed(said, reply=so_far)
    if "ConnectError" in names or "ConnectionRefused" in names:
        return Unreached(said, reply=so_far)
    if any(name in names for name in BROKE_OFF):
        return Broken(said, reply=so_far)
    return None


def _by_status(status: int, said: str, so_far: Reply, body: str, wait: float | None) -> Failure:
    if status in (401, 402, 403) or (status == 429 and _status_in(body) == 402):
        return Unauthorised(said, reply=so_far)
    if status == 404:
        return UnknownModel(said, reply=so_far)
    if 300 <= status < 400:
        return UnknownModel(f"the address redirects elsewhere ({status}), which is not followed", reply=so_far)
    if status == 429:
        return RateLimited(said, reply=so_far, retry_after=wait)
    if status == 408:
        return TooSlow(said, reply=so_far)
    if 400 <= status < 500:
        return Rejected(said, reply=so_far)
    if status >= 500:
        return Overloaded(said, reply=so_far, retry_after=wait)
    return Malformed(said, reply=so_far)


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _body(error: BaseException, so_far: Reply) -> str:
    """What the provider said, in whichever place the library or the wire kept it."""
    bodies = [body for seen in _chain(error) if (body := getattr(seen, "body", None))]
    said = json.dumps(bodies[0], default=str) if bodies else str(error)
    return f"{said}\n{so_far.raw.get('body', '')}"


def _status_in(body: str) -> int:
    """The status that an error without one stands for, 0 where its words are unknown."""
    lower = body.lower()
    if found := next((status for word, status in WORDS.items() if word in lower), 0):
        return found
    code = _CODE.search(body)
    return int(code[1]) if code else 0


def retry_after(error: BaseException) -> float | None:
    """The seconds a provider asks to wait, from whichever header the library kept."""
    for seen in _chain(error):
        for headers in (
            getattr(seen, "litellm_response_headers", None),
            getattr(getattr(seen, "response", None), "headers", None),
        ):
            for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
                if headers is not None and (found := _seconds(headers.get(name))) is not None:
                    return found * scale
    return None


def _seconds(said: Any) -> float | None:
    """Seconds, or the time until a date; None for anything else, so that the back-off of our own applies."""
    try:
        found = float(said)
    except (TypeError, ValueError):
        try:
            found = parsedate_to_datetime(str(said)).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return None if math.isnan(found) else max(0.0, found)
