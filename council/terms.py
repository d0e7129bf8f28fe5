"""What a run was told and for how long it goes on: council.yaml, then its session's record, then the command line.

Why: a session that was killed at night must not forget its cap, its hour or that it was offline, just because nobody
says them again. What it was opened with is in its row; an option given with `--resume` holds for that run alone.
How to extend: a new key of `stop` is remembered by itself; anything else needs its place in the record and in `agreed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from council.config import Config, Stop
from council.stops import until
from council.store import Row

NEVER = "never"
"""What `--until` says to drop an hour."""


@dataclass(frozen=True)
class Request:
    """What the command line asked for. `resume`: None for a new session, '' for the last one, else a name.

    None stands for what it did not say.
    """

    root: Path
    config: Path
    rounds: int | None = None
    budget: float | None = None
    offline: bool | None = None
    session: str | None = None
    resume: str | None = None
    from_worktree: bool = False
    accept_unsandboxed: bool = False
    until: str | None = None
    max_usd: float | None = None
    confirm: bool = False  # only a closing, for which nobody has to be there


@dataclass(frozen=True)
class Terms:
    """What holds for one run. `until` is the moment after which no round begins."""

    config: Config
    offline: bool
    until: datetime | None


def agreed(request: Request, config: Config, old: Row | None = None, begun: int = 0) -> Terms:
    """The terms of a run of `old`, of which `begun` rounds have begun; those are finished whatever --rounds says."""
    opened = old["config"] if old else {}
    config = _as_opened(config, old) if old else config
    said = None if request.until == NEVER else request.until
    if request.until == NEVER:
        config = config.model_copy(update={"stop": config.stop.model_copy(update={"until": None})})
    config = config.override(budget=request.budget, rounds=request.rounds, until=said, max_usd=request.max_usd)
    config = config.override(rounds=max(config.stop.rounds, begun))
    offline = bool(opened.get("offline")) if request.offline is None else request.offline
    remembered = old is not None and said is None and "until" in opened.get("stop", {})
    start = datetime.fromtimestamp(old["at"]) if old and remembered else datetime.now()
    return Terms(config, offline, until(config.stop.until, start))


def _as_opened(config: Config, old: Row) -> Config:
    """council.yaml of today, but with the stops and the budget that the session was opened with."""
    stop = {key: value for key, value in old["config"].get("stop", {}).items() if key in Stop.model_fields}
    budget = "auto" if old["budget"] is None else old["budget"]
    lab = config.lab.model_copy(update={"budget": budget})
    return config.model_copy(update={"stop": config.stop.model_copy(update=stop), "lab": lab})
