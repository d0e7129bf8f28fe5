"""Does the model look at what it is to predict? Two boxes, the same rows, other texts behind a cut.

Why two boxes: a model that looks ahead, remembers and replays gives itself away in no single process. Why both
score: were one box for the score and the other for the check, a model that can tell them apart (by pid, by time, by
counting) would look ahead in the first alone. Here each row is whole in one box and counts there; the other box gets
some of these rows cut, and a few whole as *controls*. So whichever box looks ahead, its own cut rows or the other's
give other losses. No box gets a row twice.

    probe = spliced(rows, train, generator, batch=16)
    losses = losses of probe.inputs[0] in one box, of probe.inputs[1] in another
    finding = judge(losses, probe, tolerance=None)     # None: not a bit may differ
    score = bits per byte of whole_losses(losses, probe)

A row cut at c keeps its tokens 0…c-1; from c on they are training text. The losses at 0…c-1, against the true
tokens, may not change. Position c-1 is the *edge*: its target is no longer in the input. A model that looks ahead
at a share p of the positions passes with probability (1-p)^edges: at 500 edges one in 167 is caught in 95 of 100.
Where more is at stake `again` makes rows for further boxes, and `compare` sets them beside the losses that count.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.errors import Rejected

if TYPE_CHECKING:
    import torch

Losses = Sequence["torch.Tensor"]  # one float32 [rows of the box, T] per box
EDGES = 500  # per experiment, if there are enough rows
EDGES_BEFORE_KEEP = 5000  # before a score is booked, where that is asked for
CONTROLS = 32  # at least, if there are enough rows
CONTROL_SHARE = 8  # of few rows, at least one in so many is a control
MEAN_ERRORS, MEAN_FLOOR = 3.0, 1e-4  # how far the edges' mean may rise: standard errors, and nats on top
LEAST_TOLERANCE, MOST_TOLERANCE = 1e-3, 0.25  # nats per position, where a device does not compute bit for bit

NOT_A_FUNCTION = (
    "a row got other losses in a second box: the logits of a row may depend on nothing but weights and row, "
    "not on chance, on other rows, or on what was asked before"
)
NOT_CAUSAL = (
    "the model looks at the tokens it is to predict: losses before a cut changed with the text behind it; "
    "logits at a position may depend on the tokens up to it only"
)
REASONS = (NOT_A_FUNCTION, NOT_CAUSAL)


@dataclass(frozen=True)
class Probe:
    """The rows as the two boxes get them."""

    rows: tuple[np.ndarray, np.ndarray]  # int64: which rows each box gets
    inputs: tuple[np.ndarray, np.ndarray]  # int16 [rows of the box, T]
    targets: np.ndarray  # int16 [all rows, T], the true ones
    cuts: np.ndarray  # int64 [all rows]: where it is cut; T if it is a control; 0 if only one box gets it
    whole_in: np.ndarray  # int64 [all rows], 0 or 1: the box whose losses count

    def tabled(self, losses: Losses) -> np.ndarray:
        """Losses float64 [2, all rows, T]: where they count, and in the other box (0 where it was not asked)."""
        table = np.zeros((2, *self.targets.shape))
        for box, (rows, found) in enumerate(zip(self.rows, losses, strict=True)):
            table[(self.whole_in[rows] != box).astype(int), rows] = found.numpy()
        return table


def spliced(
    rows: np.ndarray, train: np.ndarray, generator: np.random.Generator, batch: int = 1, edges: int = EDGES
) -> Probe:
    """A Probe of `rows` [all rows, T + 1] with suffixes from the tokens `train`; `edges` at most.

    Each box gets a multiple of `batch` rows, if all of them are one.
    """
    count, seq_len = len(rows), rows.shape[1] - 1
    cuts = np.zeros(count, dtype=np.int64)
    whole_in = generator.permutation(count) % 2
    asked, inputs = [], []
    for box in (0, 1):
        own, others = np.flatnonzero(whole_in == box), generator.permutation(np.flatnonzero(whole_in != box))
        extra, cut = _numbers(len(own), len(others), batch, edges // 2 if seq_len > 1 else 0)
        others = others[:extra]
        cuts[others] = seq_len
        cuts[others[:cut]] = generator.integers(1, seq_len, size=cut) if cut else seq_len
        text = rows[:, :-1].copy()
        for row in others[:cut]:
            text[row, cuts[row] :] = _suffix(train, seq_len - cuts[row], rows[row, cuts[row]], generator)
        asked.append(np.concatenate([own, others]))
        inputs.append(text[asked[-1]])
    return Probe((asked[0], asked[1]), (inputs[0], inputs[1]), rows[:, 1:], cuts, whole_in)


@dataclass(frozen=True)
class Again:
    """Rows for one more box, to be compared with losses that are known."""

    rows: np.ndarray  # int64: which rows
    inputs: np.ndarray  # int16 [rows of the box, T]
    cuts: np.ndarray  # int64 [rows of the box]: where each is cut; T if it is a control

    @property
    def edges(self) -> int:
        return int((self.cuts < self.inputs.shape[1]).sum())


def again(rows: np.ndarray, train: np.ndarray, generator: np.random.Generator, batch: int, edges: int) -> Again:
    """Fresh cuts of `rows` [all rows, T + 1] for one more box, `edges` at most; no row comes twice."""
    count, seq_len = len(rows), rows.shape[1] - 1
    asked, cut = _numbers(0, count, batch, edges if seq_len > 1 else 0)
    where = generator.permutation(count)[:asked]
    cuts = np.full(asked, seq_len, dtype=np.int64)
    cuts[:cut] = generator.integers(1, seq_len, size=cut) if cut else seq_len
    text = rows[where, :-1].copy()
    for row, c in zip(text[:cut], cuts[:cut], strict=True):
        row[c:] = _suffix(train, seq_len - c, row[c], generator)
    return Again(where, text, cuts)


def _numbers(own: int, others: int, batch: int, edges: int) -> tuple[int, int]:
    """How many rows that count in the other box a box gets, and how many of these are cut."""
    cut = max(0, min(edges, others - max(1, others // CONTROL_SHARE)))
    extra = cut + CONTROLS // 2
    return min(others, extra + -(own + extra) % batch), cut


def _suffix(train: np.ndarray, length: int, unlike: int, generator: np.random.Generator) -> np.ndarray:
    """Training text that begins with another token than `unlike`."""
    for _ in range(64):
        start = int(generator.integers(max(1, len(train) - length)))
        text = train[start : start + length]
        if len(text) == length and text[0] != unlike:
            return text
    text = np.resize(train, length)
    text[0] = 0 if unlike else 1  # the text is one token over and over
    return text


def whole_losses(losses: Losses, probe: Probe) -> "torch.Tensor":
    """The losses float64 [all rows, T] that count."""
    import torch

    return torch.from_numpy(probe.tabled(losses)[0])


@dataclass(frozen=True)
class Compared:
    """The losses of rows in two boxes beside each other, nats."""

    edges: np.ndarray  # by how much the loss at each edge is higher where the row was cut
    controls: int
    in_controls: float  # the largest difference in a row that was whole in both
    before_cuts: float  # the same in a row that was cut, before the cut

    def __add__(self, other: "Compared") -> "Compared":
        return Compared(
            np.concatenate([self.edges, other.edges]),
            self.controls + other.controls,
            float(np.maximum(self.in_controls, other.in_controls)),  # keeps what is no number
            float(np.maximum(self.before_cuts, other.before_cuts)),
        )


def compare(whole: np.ndarray, other: np.ndarray, cuts: np.ndarray) -> Compared:
    """Losses [rows, T] where a row was whole, and elsewhere; `cuts` as in a Probe."""
    rise, seq_len = other.astype(np.float64) - whole, whole.shape[1]
    is_cut, is_control = (cuts > 0) & (cuts < seq_len), cuts == seq_len
    apart = np.where(np.arange(seq_len)[None, :] < cuts[:, None], np.abs(rise), 0.0)
    return Compared(
        rise[is_cut, cuts[is_cut] - 1],
        int(is_control.sum()),
        float(apart[is_control].max(initial=0.0)),
        float(apart[is_cut].max(initial=0.0)),
    )


def compared(losses: Losses, probe: Probe) -> Compared:
    """What the two boxes of a probe answered."""
    whole, other = probe.tabled(losses)
    return compare(whole, other, probe.cuts)


def judge(losses: Losses, probe: Probe, tolerance: float | None) -> dict[str, Any]:
    """The `verdict` on what the two boxes of a probe answered."""
    return verdict(compared(losses, probe), tolerance)


def verdict(seen: Compared, tolerance: float | None) -> dict[str, Any]:
    """What was compared: edges, controls, tolerance and max_difference (nats per position), and what follows.

    `tolerance` is None where losses must be equal to the bit. `reason` is None or one of REASONS.
    """
    limit = 0.0 if tolerance is None else tolerance
    reason = None
    if _beyond(seen.in_controls, 2 * limit):
        reason = NOT_A_FUNCTION
    elif _beyond(seen.before_cuts, 2 * limit) or _beyond(_largest(seen.edges), limit) or _rises(seen.edges):
        reason = NOT_CAUSAL
    largest = float(np.maximum(seen.in_controls, seen.before_cuts))
    return {
        "edges": len(seen.edges),
        "controls": seen.controls,
        "tolerance": limit,
        "max_difference": largest if math.isfinite(largest) else None,
        "reason": reason,
    }


def _largest(edges: np.ndarray) -> float:
    return float(np.abs(edges).max(initial=0.0))


def _beyond(difference: float, limit: float) -> bool:
    """Whether it is not within `limit`; what is no number never is."""
    return not difference <= limit


def _rises(edges: np.ndarray) -> bool:
    """Whether losses at the edges are higher on average when the target is out of reach."""
    if len(edges) < 2:
        return False
    error = float(edges.std(ddof=1)) / len(edges) ** 0.5
    return not float(edges.mean()) <= MEAN_ERRORS * error + MEAN_FLOOR


def usable_tolerance(measured: float) -> float:
    """`measured` within the bounds that no machine and no train.py may move."""
    return min(max(measured, LEAST_TOLERANCE), MOST_TOLERANCE)


def check(finding: dict[str, Any]) -> None:
    """Raises Rejected if the finding of `judge` says so."""
    if finding["reason"] is not None:
        raise Rejected(finding["reason"])
