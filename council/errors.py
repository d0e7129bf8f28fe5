"""Every error the council raises on purpose, with its exit code and a hint.

    CouncilError                 1  anything below
    ├── UsageError               2  the command line asks for something that cannot be
    │   └── ConfigError          2  council.yaml is broken: file, line, key, value, what is allowed
    ├── RepositoryError          2  git is missing, dirty, or in the way
    ├── AlreadyRunning           2  another `council run` holds the lock
    ├── StoreError               1  the database cannot be written (full disk, I/O)
    │   ├── StoreUnusable        2  the database cannot be used at all (read-only, other version, not ours)
    │   │   └── StoreEmpty       2  there is none, or one without tables: no session has run here
    │   └── StoreBroken          1  its rows contradict each other
    ├── RuleFailed               1  a rule of one's own could not count the ballots
    ├── NoCouncil                2  fewer than two members are present
    ├── EditError                1  an edit does not apply (a value for the guard, never seen by the user)
    ├── MachineFault             1  the lab cannot measure on this machine
    ├── BaselineError            1  the code a session starts from does not run
    └── MemberError              1  a member delivered nothing; becomes an Outcome, never ends a night
        ├── Refused   ├── BadReply   ├── Broke

A crash of train.py, a timeout of training and an exhausted stop are values, not errors.
Each message says what happened with its value; `kept` says what was not lost; `hint` says what to do.
"""

from __future__ import annotations

from council.types import Miss


class CouncilError(Exception):
    """Base of all errors the council raises on purpose."""

    exit_code = 1
    resumable = True  # whether going on with the same session can help

    def __init__(self, message: str, *, hint: str = "", kept: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.kept = kept

    def __str__(self) -> str:
        return "\n".join(part for part in (self.message, self.kept, self.hint) if part)


class UsageError(CouncilError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class ConfigError(UsageError):
    """council.yaml is broken."""


class RepositoryError(CouncilError):
    """The git repository is missing or in a state a session cannot start from."""

    exit_code = 2


class AlreadyRunning(CouncilError):
    """Another `council run` holds the lock of this database."""

    exit_code = 2


class StoreError(CouncilError):
    """The database could not be written; rows already recorded are intact."""


class StoreUnusable(StoreError):
    """The database cannot be opened for this purpose."""

    exit_code = 2


class StoreEmpty(StoreUnusable):
    """There is nothing to read: no database, or one that a full disk kept from holding a table."""


class StoreBroken(StoreError):
    """Rows of the database contradict each other: somebody edited it, or the council that wrote it was at fault."""


class RuleFailed(CouncilError):
    """A rule that did not come with the council raised, or gave something else than numbers."""


class NoCouncil(CouncilError):
    """Fewer than two members are present."""

    exit_code = 2


class EditError(CouncilError):
    """An edit does not apply to its parent."""


class MachineFault(CouncilError):
    """The lab cannot measure on this machine."""


class BaselineError(CouncilError):
    """The code a session starts from does not run."""

    resumable = False


class MemberError(CouncilError):
    """A member delivered nothing at a step."""

    miss = Miss.ERROR


class Refused(MemberError):
    """The member declined to answer."""

    miss = Miss.REFUSED


class BadReply(MemberError):
    """The reply could not be read, twice."""

    miss = Miss.BAD_REPLY


class Broke(MemberError):
    """There is no money left for this member."""

    miss = Miss.BROKE
