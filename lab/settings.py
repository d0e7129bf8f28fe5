"""The lab's constants: sizes, budgets and limits that no `train.py` can change.

Why one file: two measurements may be compared only if all of these agree, so they are kept where a
reader (and the fingerprint) can see them together. To give a device other sizes, add a line to `SIZES`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """What is trained and scored on one kind of device."""

    vocab_size: int  # tokens, the special one included
    seq_len: int  # tokens per row
    eval_tokens: int  # validation tokens scored per measurement
    eval_batch: int  # rows per forward pass while scoring
    budget: float  # default training budget, seconds
    weights_cap: int  # largest state dict accepted, bytes
    s0: float  # default standard deviation of BPB between runs of the same code
    eval_seconds: float  # default limit on scoring, seconds


MB = 1 << 20
SIZES = {
    "cpu": Sizes(2048, 128, 131_072, 16, 15.0, 512 * MB, 0.008, 60.0),
    "mps": Sizes(2048, 128, 131_072, 16, 300.0, 512 * MB, 0.02, 120.0),
    "cuda": Sizes(8192, 2048, 2_097_152, 8, 300.0, 4096 * MB, 0.0007, 600.0),
}

CHUNK = 512  # training tokens per shuffled chunk
SOURCE_CAP = 64 * 1024  # bytes of train.py
LOG_CAP = MB  # bytes of a box's output that are looked at; the rest is read and thrown away
LOG_TAIL = 4096  # bytes of output kept in a measurement
GRACE = 0.5  # seconds of this machine past the budget before a box is killed
WALL_FACTOR = 6  # seconds of this machine allowed per second of budget
WALL_LEAST = 5.0  # wall seconds allowed however small the budget
STARTUP_SECONDS = 120.0  # wall seconds a box may take to import torch and say ready
COMPILE_SECONDS = 60.0  # seconds before `start` that are free on a GPU, if the text cannot be read there
POLL_SECONDS = 0.02  # how often the clock is read and progress published

SMOKE_STEPS = 3  # optimizer steps in a smoke run
SMOKE_SECONDS = 20.0  # wall seconds for a whole smoke run
SMOKE_ROWS = 32  # rows scored in a smoke run
SMOKE_TOKENS = 65_536  # random training tokens in a smoke run
