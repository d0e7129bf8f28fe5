"""The score against independent plain computations."""

from __future__ import annotations

import math

import pytest
import torch

from lab.bpb import bits_per_byte, token_losses


def plain_losses(logits: torch.Tensor, targets: torch.Tensor) -> list[float]:
    """-ln p(target) by the definition, in Python's own doubles."""
    out = []
    for row, target in zip(logits.double().tolist(), targets.tolist(), strict=True):
        top = max(row)
        out.append(math.log(sum(math.exp(x - top) for x in row)) + top - row[target])
    return out


@pytest.mark.parametrize("scale", [0.1, 5.0, 80.0])
def test_losses_equal_the_definition(scale: float) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(600, 37, generator=generator) * scale
    targets = torch.randint(37, (600,), generator=generator)
    assert token_losses(logits, targets).tolist() == pytest.approx(plain_losses(logits, targets), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_logits_are_scored_in_single(dtype: torch.dtype) -> None:
    logits = (torch.randn(50, 11, generator=torch.Generator().manual_seed(2)) * 9).to(dtype)
    targets = torch.arange(50) % 11
    assert token_losses(logits, targets).tolist() == pytest.approx(plain_losses(logits, targets), rel=1e-5, abs=1e-5)


def test_a_uniform_model_pays_log_v_per_token() -> None:
    targets = torch.tensor([0, 1, 2, 3])
    losses = token_losses(torch.zeros(4, 4), targets)
    assert bits_per_byte(losses, targets, torch.tensor([1, 1, 1, 1])) == pytest.approx(2.0)
    assert bits_per_byte(losses, targets, torch.tensor([2, 2, 2, 2])) == pytest.approx(1.0)


def test_targets_without_bytes_do_not_count() -> None:
    losses, targets = torch.tensor([1.0, 100.0, 3.0]), torch.tensor([0, 2, 1])
    assert bits_per_byte(losses, targets, torch.tensor([3, 5, 0])) == pytest.approx(4.0 / (math.log(2) * 8))


def test_only_special_tokens_is_an_error() -> None:
    with pytest.raises(ValueError, match="any bytes"):
        bits_per_byte(torch.ones(2), torch.zeros(2, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_logit_that_is_not_finite_shows_as_nan(bad: float) -> None:
    logits = torch.zeros(3, 5)
    logits[1, 4] = bad
    assert token_losses(logits, torch.zeros(3, dtype=torch.int64)).isnan().tolist() == [False, True, False]


def test_logits_that_only_claim_to_be_probable_gain_nothing() -> None:
    """Adding a constant to all logits, however large, leaves the loss as it was."""
    logits, targets = torch.randn(20, 9, generator=torch.Generator().manual_seed(3)), torch.arange(20) % 9
    assert token_losses(logits + 300, targets).tolist() == pytest.approx(
        token_losses(logits, targets).tolist(), abs=1e-4
    )


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_there_is_no_score_with_a_loss_that_is_not_finite(bad: float) -> None:
    """Not even at a target that carries no bytes and does not count."""
    with pytest.raises(ValueError, match="not finite"):
        bits_per_byte(torch.tensor([1.0, bad]), torch.tensor([0, 1]), torch.tensor([1, 0]))
