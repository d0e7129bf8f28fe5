"""Whoever looks at what it is to predict is found out, and nobody else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from lab import causality
from lab.causality import EDGES, NOT_A_FUNCTION, NOT_CAUSAL, judge, spliced, whole_losses
from lab.data import strided_rows
from lab.errors import Rejected
from lab.measurement import Measurement
from lab.scoring import REASONS

Run = Callable[..., Measurement]
LossOf = Callable[[np.ndarray, np.ndarray], np.ndarray]
V = 50
GENERATOR = np.random.default_rng(7)
ROWS = GENERATOR.integers(V, size=(1024, 33)).astype(np.int16)
TRAIN = GENERATOR.integers(V, size=50_000).astype(np.int16)


def honest(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """A loss that depends on the row up to the position, and on the target."""
    return 2 + np.sin(np.cumsum(inputs, axis=1) * 0.37 + targets)


def asked(loss: LossOf | tuple[LossOf, LossOf], seed: int = 1, rows: np.ndarray = ROWS, batch: int = 16) -> tuple:
    """The probe and the losses that boxes with this loss would give."""
    probe = spliced(rows, TRAIN, np.random.default_rng(seed), batch)
    both = loss if isinstance(loss, tuple) else (loss, loss)
    found = [f(x, probe.targets[r]) for f, x, r in zip(both, probe.inputs, probe.rows, strict=True)]
    return [torch.from_numpy(one).float() for one in found], probe


def peeking(share: float, gain: float = 0.5) -> LossOf:
    """Looks at the next input where a hash of the row so far says so."""

    def loss(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        out = honest(inputs, targets)
        draw = np.cumsum(inputs.astype(np.int64) * 7919, axis=1) % 100_003 / 100_003
        sees = (draw[:, :-1] < share) & (inputs[:, 1:] == targets[:, :-1])
        out[:, :-1] -= gain * sees
        return out

    return loss


def test_every_row_counts_once_and_no_box_gets_one_twice() -> None:
    probe = spliced(ROWS, TRAIN, np.random.default_rng(1), 16)
    for box in (0, 1):
        assert len(set(probe.rows[box])) == len(probe.rows[box]) == 784
        counted = probe.rows[box][probe.whole_in[probe.rows[box]] == box]
        assert set(counted) == set(np.flatnonzero(probe.whole_in == box))
    assert ((probe.cuts > 0) & (probe.cuts < 32)).sum() == EDGES
    assert (probe.cuts == 32).sum() >= causality.CONTROLS


def test_a_cut_row_keeps_its_beginning_and_loses_the_target_of_its_edge() -> None:
    probe = spliced(ROWS, TRAIN, np.random.default_rng(1), 16)
    for box in (0, 1):
        for row, text in zip(probe.rows[box], probe.inputs[box], strict=True):
            cut = probe.cuts[row]
            if probe.whole_in[row] == box or cut == 32:
                assert (text == ROWS[row, :-1]).all()
            else:
                assert (text[:cut] == ROWS[row, :cut]).all()
                assert text[cut] != probe.targets[row, cut - 1]
    assert (probe.targets == ROWS[:, 1:]).all()


@pytest.mark.parametrize("count", [1, 2, 3, 5, 15, 16, 17, 32, 100, 512])
def test_few_rows_are_asked_too(count: int) -> None:
    losses, probe = asked(honest, rows=ROWS[:count])
    finding = judge(losses, probe, None)
    assert finding["reason"] is None
    assert finding["controls"] >= (count > 1)
    assert (whole_losses(losses, probe).numpy() == honest(ROWS[:count, :-1], ROWS[:count, 1:]).astype("f4")).all()
    if count % 16 == 0:
        assert all(len(rows) % 16 == 0 for rows in probe.rows)


def test_training_text_of_one_token_still_hides_the_target() -> None:
    probe = spliced(ROWS * 0, TRAIN * 0, np.random.default_rng(1))
    assert judge(*asked(honest, rows=ROWS * 0), None)["reason"] is None
    cut = [(x, probe.cuts[r]) for b in (0, 1) for x, r in zip(probe.inputs[b], probe.rows[b], strict=True)]
    assert any(x[c] != 0 for x, c in cut if 0 < c < 32)


def test_an_honest_model_passes_to_the_bit() -> None:
    finding = judge(*asked(honest), None)
    assert finding["reason"] is None
    assert (finding["edges"], finding["tolerance"], finding["max_difference"]) == (EDGES, 0.0, 0.0)


@pytest.mark.parametrize("gain", [0.5, 1e-5])
def test_looking_ahead_by_one_word_is_found(gain: float) -> None:
    assert judge(*asked(peeking(1.0, gain)), None)["reason"] == NOT_CAUSAL


@pytest.mark.parametrize("first", [True, False])
def test_looking_ahead_in_one_box_only_is_found(first: bool) -> None:
    pair = (peeking(1.0), honest) if first else (honest, peeking(1.0))
    assert judge(*asked(pair), None)["reason"] in (NOT_CAUSAL, NOT_A_FUNCTION)


def test_looking_ahead_in_the_later_rows_only_is_found() -> None:
    def late(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        out, order = honest(inputs, targets), np.random.default_rng(3).permutation(len(inputs))
        later = order[len(order) // 2 :]
        out[later] = peeking(1.0)(inputs[later], targets[later])
        return out

    assert judge(*asked(late), None)["reason"] is not None


def test_noise_of_its_own_is_found() -> None:
    noise = np.random.default_rng(5)

    def noisy(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return peeking(0.05)(inputs, targets) + noise.normal(0, 0.01, inputs.shape)

    assert judge(*asked(noisy), None)["reason"] == NOT_A_FUNCTION


def test_weak_peeking_under_noise_is_found_by_the_mean_where_devices_are_inexact() -> None:
    """Noise within the tolerance of the baseline, and a little of the true next token."""
    found = []
    for seed in range(20):
        noise = np.random.default_rng(seed)

        def weak(inputs: np.ndarray, targets: np.ndarray, noise: np.random.Generator = noise) -> np.ndarray:
            return peeking(1.0, 0.004)(inputs, targets) + noise.uniform(-0.003, 0.003, inputs.shape)

        found.append(judge(*asked(weak, seed), 0.02)["reason"] == NOT_CAUSAL)
    assert all(found)


def test_noise_of_the_device_alone_passes() -> None:
    passed = 0
    for seed in range(50):
        noise = np.random.default_rng(seed)

        def inexact(inputs: np.ndarray, targets: np.ndarray, noise: np.random.Generator = noise) -> np.ndarray:
            return honest(inputs, targets) + noise.uniform(-0.009, 0.009, inputs.shape)

        passed += judge(*asked(inexact, seed), 0.02)["reason"] is None
    assert passed == 50


def test_controls_beyond_twice_the_tolerance_are_rejected() -> None:
    noise = np.random.default_rng(1)
    finding = judge(*asked(lambda x, y: honest(x, y) + noise.uniform(-0.05, 0.05, x.shape)), 0.02)
    assert finding["reason"] == NOT_A_FUNCTION


@pytest.mark.parametrize("share", [0.03, 1 / 167])
def test_sparse_peeking_is_found_with_the_documented_power(share: float) -> None:
    tries = 60
    found = sum(judge(*asked(peeking(share), seed), None)["reason"] == NOT_CAUSAL for seed in range(tries))
    power = 1 - (1 - share) ** EDGES
    assert found / tries >= power - 3 * (power * (1 - power) / tries) ** 0.5 - 1e-9


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("tolerance", [None, 0.02])
def test_a_loss_that_is_no_number_never_passes(bad: float, tolerance: float | None) -> None:
    def endless(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return np.where(targets % 3 == 0, bad, honest(inputs, targets))

    with np.errstate(invalid="ignore"):
        finding = judge(*asked(endless), tolerance)
    assert finding["reason"] in causality.REASONS
    assert finding["max_difference"] is None  # which standard JSON can say


def test_a_tolerance_keeps_within_its_bounds() -> None:
    assert causality.usable_tolerance(0.0) == causality.LEAST_TOLERANCE
    assert causality.usable_tolerance(9.0) == causality.MOST_TOLERANCE


def test_reasons_are_words_of_ours() -> None:
    for reason in causality.REASONS:
        with pytest.raises(Rejected, match=reason[:30]):
            causality.check({"reason": reason})
    causality.check({"reason": None})


def test_the_last_batch_is_as_large_as_the_others() -> None:
    assert len(strided_rows(np.arange(10_000, dtype=np.int16), 37, 9, batch=16)) == 32
    assert len(strided_rows(np.arange(100, dtype=np.int16), 37, 9, batch=16)) == 10


PEEK = "logits[:, :-1].scatter_add_(2, idx[:, 1:, None], torch.full_like(logits[:, :-1, :1], {gain}))"


@pytest.mark.parametrize(
    ("places", "reason"),
    [
        ({"forward": PEEK.format(gain=5.0)}, NOT_CAUSAL),
        ({"forward": "logits = logits + 1e-3 * logits.mean(1, keepdim=True)"}, NOT_CAUSAL),  # attention without a mask
        ({"forward": "if not self.training: torch.seed()\n"
                     f"logits = logits + 0.01 * torch.randn_like(logits); {PEEK.format(gain=0.02)}"}, NOT_A_FUNCTION),
        ({"forward": "logits = logits - logits.mean(0, keepdim=True)"}, NOT_A_FUNCTION),  # other rows of the batch
        ({"forward": "self.calls = getattr(self, 'calls', 0) + 1\nlogits = logits * self.calls"},
         (NOT_A_FUNCTION, NOT_CAUSAL)),  # by the order in which the two boxes happen to get the rows
        ({"forward": "self.seen = getattr(self, 'seen', {})\n"  # looks ahead, remembers, and answers from memory
                     "for n, row in enumerate(idx.tolist()):\n"
                     "    known = self.seen.setdefault(tuple(row[:9]), row)\n"
                     "    logits[n, range(127), known[1:]] += 4"}, NOT_CAUSAL),
        ({"forward": "where = (idx[:, :-1] % 33 == 0)[..., None]\n"  # one position in 33
                     "seen = torch.nn.functional.one_hot(idx[:, 1:], 2048) * where\n"
                     "if not self.training: logits[:, :-1] += seen"}, NOT_CAUSAL),
    ],
    ids=["one word", "no mask", "own noise", "the batch", "a counter", "replay", "sparse"],
)  # fmt: skip
def test_a_model_that_is_no_causal_function_is_rejected(
    boxed: Run, places: dict[str, str], reason: str | tuple[str, str]
) -> None:
    result = boxed(many_rows=512 if "33" in places["forward"] else 0, **places)
    assert (result.status, result.val_bpb) == ("rejected", None)
    assert result.reason in (reason if isinstance(reason, tuple) else (reason,))
    assert result.causality is not None and result.causality["max_difference"] > 0


def test_the_end_of_a_score_box_is_told_in_words_of_ours(boxed: Run) -> None:
    """What a box that has seen the hidden text says of itself reaches nobody."""
    result = boxed(
        forward="""
        if not self.training:
            import gc
            channel = next(o for o in gc.get_objects() if type(o).__name__ == "Channel")
            channel.send("secret: " + str(idx[0, :9].tolist()))
            time.sleep(5)
        """
    )
    assert (result.status, result.reason) == REASONS["protocol"]
