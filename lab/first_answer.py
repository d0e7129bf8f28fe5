"""Does a score box only rebuild the model before its first answer, or does it go on training?

Why that moment: nobody charges a score box for its time. A model that trained between two answers would answer the
same row differently before and after, and the two boxes would disagree; so whoever trains there has to do it before
the first answer. What is honest work then is known: `build`, which ran before `start` in the train box and was charged
there, the loading of the weights, and a forward pass or two.

Why the other half, `paid_twice`: a train.py may train before `start` as well, with text that lies in the box. What it
used there is allowed in a score box once more, so beyond what any build takes it is charged twice.

All in CPU-seconds of the whole tree, so only on a CPU: on a GPU a first forward pass may honestly compile for a minute.
"""

from dataclasses import dataclass

from lab.errors import Rejected

BUILD_FREE = 0.25  # budget seconds before `start` that are charged once
BATCHES = 4  # as many later batches may have been worked on by the first answer: two are asked for at once
SLACK = 0.4  # CPU-seconds on top
LOAD_RATE = 800e6  # bytes of weights per CPU-second that loading may take; half of what it reaches
LATE = (
    "the score box worked longer before its first answer than building the model takes: "
    "train may train, and nothing else; what build needs has to be done before start as well"
)


@dataclass(frozen=True)
class Work:
    """CPU-seconds of a score box from the moment it was given the weights."""

    first: float  # until its first answer had come
    batch: float  # per batch after that


def paid_twice(before_start: float) -> float:
    """Budget seconds to add to a charge, of which `before_start` came before `start`."""
    return max(0.0, before_start - BUILD_FREE)


def allowed(before_start: float, batch: float, weights: int) -> float:
    """CPU-seconds before the first answer, for `weights` bytes and what the train box used before `start`."""
    return before_start + BATCHES * batch + weights / LOAD_RATE + SLACK


def check(work: Work, before_start: float, weights: int) -> None:
    """Raises Rejected if a score box did more than rebuild the model."""
    if work.first > allowed(before_start, work.batch, weights):
        raise Rejected(LATE)
