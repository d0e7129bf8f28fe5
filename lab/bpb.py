"""Logits to bits per byte: the score, computed by the lab and by nobody else.

Why bits per *byte*: it compares across tokenizers. Why from full logits: a model that returned its own
losses could return any number; here probabilities sum to one because the lab makes them.

    BPB = sum of -ln p(target) / (ln 2 · sum of the targets' bytes), special tokens excluded
"""

import math

import torch

CHUNK = 256  # positions per step, so that the work stays in the processor's cache


def token_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """-ln p(target) in nats, float32 [positions], from logits [positions, V] and targets int64 [positions].

    Computed in float32 whatever the logits' type. A position with a logit that is not finite gives NaN.
    """
    losses = torch.empty(len(targets), dtype=torch.float32, device=logits.device)
    step = CHUNK if logits.device.type == "cpu" else 16 * CHUNK
    for start in range(0, len(targets), step):
        part = slice(start, start + step)
        x = logits[part].float()
        chosen = x.gather(1, targets[part, None]).squeeze(1)
        total = torch.logsumexp(x, dim=1)  # not finite if any logit is NaN or +inf; -inf shows in the minimum
        is_finite = torch.isfinite(total) & torch.isfinite(x.amin(dim=1))
        losses[part] = torch.where(is_finite, total - chosen, torch.nan)
    return losses


def bits_per_byte(losses: torch.Tensor, targets: torch.Tensor, byte_lengths: torch.Tensor) -> float:
    """BPB of losses (nats) at int64 targets of the same shape; targets of no bytes do not count.

    Raises ValueError if no target has bytes, or if a loss is not finite, at a target of no bytes too.
    """
    if not losses.isfinite().all():
        raise ValueError("a loss is not finite, so there is no score")
    lengths = byte_lengths[targets]
    total = int(lengths.sum())
    if total == 0:
        raise ValueError("none of the targets has any bytes, so there are no bits per byte")
    return losses.double()[lengths > 0].sum().item() / (math.log(2) * total)
