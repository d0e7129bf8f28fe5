"""When a session ends by itself: rounds, the clock, dollars; whichever comes first.

Pure questions about now, the rows of a round and what the members cost. To add a stop: a function from what is known
between two rounds to the reason that ends the session, or ''.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from council.members.base import Member
from council.spend import free
from council.store import Store


def until(clock: str | None, start: datetime) -> datetime | None:
    """The next moment after `start` at which a clock shows `HH:MM`, None without one."""
    if clock is None:
        return None
    hour, minute = map(int, clock.split(":"))
    moment = start.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return moment if moment > start else moment + timedelta(days=1)


def late(moment: datetime | None, now: datetime) -> str:
    """Why the clock ends the session, or ''."""
    return f"it is {moment:%H:%M}, the hour to stop" if moment and now >= moment else ""


def broke(store: Store, session: int, round_: int, members: Mapping[str, Member]) -> str:
    """Why money ends the session, or '': a round ran out of dollars, and fewer than two members are free of charge."""
    if round_ < 1 or not store.one("outcomes", session=session, round=round_, kind="broke"):
        return ""
    few = len(free(members)) < 2
    return "out of dollars, and fewer than two members are free of charge" if few else ""
