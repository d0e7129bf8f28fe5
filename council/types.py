"""The words of the council, as frozen dataclasses.

Every other module speaks in these types: members return them, the judge computes on them, the store writes them and
the faces show them. Standard library only, so that importing a word costs nothing. `docs/vocabulary.md` explains each.
To add a word: add a frozen dataclass here, a table in `council/store/schema.py`, and a line in the vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

TRAIN_PY = "lab/train.py"
"""The only file members edit, relative to the root of the repository."""

TITLE_LIMIT = 120
"""Longest title of a proposal, in characters."""

FAMILIES = (
    "optimizer",
    "schedule",
    "architecture",
    "attention",
    "embedding",
    "batch",
    "initialisation",
    "regularisation",
    "data order",
    "systems",
    "simplification",
    "other",
)
"""What an edit is about. A family outside this list is recorded as `other`."""


class Role(StrEnum):
    """Why an experiment ran."""

    BASELINE = "baseline"
    TRIAL = "trial"
    REPAIR = "repair"
    RUNNER_UP = "runner_up"
    REPLICATE = "replicate"
    CLOSING = "closing"


class Kind(StrEnum):
    """What a verdict says of a trial, a repair or a runner-up."""

    KEEP = "keep"
    DISCARD = "discard"
    CRASH = "crash"
    REJECTED = "rejected"
    VOID = "void"


class Miss(StrEnum):
    """Why a member delivered nothing at a step (the kind of an Outcome)."""

    ABSENT = "absent"
    RESTING = "resting"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    BAD_REPLY = "bad_reply"
    BROKE = "broke"
    ERROR = "error"
    ABSTAINED = "abstained"


@dataclass(frozen=True)
class Block:
    """One SEARCH/REPLACE pair. `search` must occur exactly once in the parent."""

    search: str
    replace: str


@dataclass(frozen=True)
class Edit:
    """A change of one file: blocks, or the whole new text. Exactly one of the two is given."""

    blocks: tuple[Block, ...] = ()
    whole: str | None = None
    path: str = TRAIN_PY


@dataclass(frozen=True)
class Proposal:
    """What a member proposes in a round.

    `forecast` is the author's probability, 0 to 1, that the edit's measured BPB will be below the booked best.
    """

    title: str
    hypothesis: str
    family: str
    edit: Edit
    forecast: float


@dataclass(frozen=True)
class Past:
    """One settled experiment of this session, as a brief tells it.

    `delta` is booked best minus measured BPB at the time (positive is better), `sigmas` the same in units of the noise.
    `constants` are the upper-case numbers at the top of the code that ran. `on` is the number of the experiment whose
    kept code this edit started from, 0 for the baseline.
    """

    round: int
    number: int
    role: str
    title: str
    family: str
    mine: bool
    verdict: str
    bpb: float | None
    delta: float | None
    sigmas: float | None
    reason: str
    constants: Mapping[str, float] = field(default_factory=dict)
    on: int | None = None


@dataclass(frozen=True)
class Ran:
    """What a run showed of the code and the machine; `steps` are by the code's own word, None is unknown."""

    machine: str
    params: int | None
    steps: int | None
    peak_mb: float | None


@dataclass(frozen=True)
class Brief:
    """What a member receives in a round.

    `best` and `best_sd` are the booked BPB of the incumbent and its standard deviation, `sigma` the noise of one run.
    `hits` of `settled` experiments so far measured below the booked best of their moment: the base rate. `device` is
    what they ran on, since train.py may hold other constants for each. `incumbent` is the number of the experiment
    whose code `source` is, 0 for the baseline. `rounds` is how many the session was opened for, `current` what the
    current code showed when it was measured.
    """

    session: str
    round: int
    program: str
    source: str
    history: tuple[Past, ...]
    best: float
    best_sd: float
    sigma: float
    baseline: float
    budget: float
    hits: int
    settled: int
    device: str = "cpu"
    incumbent: int | None = None
    rounds: int | None = None
    current: Ran | None = None

    @property
    def base_rate(self) -> float:
        """Share of experiments that beat the book, shrunk towards 2 of 5."""
        return (self.hits + 2) / (self.settled + 5)


@dataclass(frozen=True)
class Entry:
    """One proposal on a slate, without its author; with the comments it received and the answer to them, if any."""

    label: str
    title: str
    hypothesis: str
    family: str
    diff: str
    comments: tuple[str, ...] = ()
    answer: str = ""


@dataclass(frozen=True)
class Slate:
    """The proposals as one judge sees them: its own left out, labels and order its own."""

    judge: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Ballot:
    """A judge's answer to its slate: labels from best to worst, and a forecast (0 to 1) per label."""

    ranking: tuple[str, ...]
    forecasts: Mapping[str, float]


@dataclass(frozen=True)
class Critique:
    """A member's comment on the proposal behind one label of its slate."""

    label: str
    text: str


@dataclass(frozen=True)
class Response:
    """An author's answer to its critics, with or without a revised edit."""

    text: str
    revised: Proposal | None = None


@dataclass(frozen=True)
class Turn:
    """Where a member's contribution stands in the night; `seed` is its only source of chance.

    `complaint` says what was wrong with the first answer when a step asks a second time (attempt 2).
    """

    session: str
    round: int
    step: str
    member: str
    attempt: int
    seed: int
    complaint: str = ""


@dataclass(frozen=True)
class Tally:
    """What a rule made of the ballots: a score per proposal (higher is better), the ranking, and the pick."""

    rule: str
    scores: Mapping[int, float]
    ranking: tuple[int, ...]
    pick: int


@dataclass(frozen=True)
class Measurement:
    """The referee's numbers for one experiment. `val_bpb` is None unless `status` is `ok`.

    `raw` is the whole object that `python -m lab measure --json` printed, see `docs/lab.md`.
    """

    status: str
    val_bpb: float | None
    reason: str
    s0: float
    fingerprint: str
    conditions: Mapping[str, object]
    sandbox: str
    train_seconds: float
    total_seconds: float
    log_tail: str
    raw: Mapping[str, object]


@dataclass(frozen=True)
class Book:
    """What we believe of the incumbent: its commit, its BPB `b` with variance `v`; and the same of the baseline."""

    commit: str
    b: float
    v: float
    b_base: float
    v_base: float


@dataclass(frozen=True)
class Verdict:
    """What a measurement did to the book, with everything that went in (`docs/mechanism.md`, Verdict)."""

    kind: Kind
    reason: str
    bpb: float | None = None
    booked_before: float | None = None
    delta: float | None = None
    sigmas: float | None = None
    expected: float | None = None
    belief: float | None = None
    inputs: Mapping[str, float | None] = field(default_factory=dict)
