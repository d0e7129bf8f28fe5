"""How a measurement can end early, and what can go wrong in the lab itself.

- LabError: the lab cannot do what was asked: a missing package, a full disk (status `void`)
- Ended: a train.py did not get a score; carries the status and the one-sentence reason
  - Rejected: it broke a rule of measurement
"""


class LabError(Exception):
    """The lab cannot go on; the message says what happened and what to do."""


class Ended(Exception):
    """A measurement is over without a score: `status` is crash, timeout, oom, rejected or void."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Rejected(Ended):
    """A box broke a rule of measurement; the message names the rule and the value."""

    def __init__(self, reason: str) -> None:
        super().__init__("rejected", reason)
