"""`python -m lab noise` and `probe`: what can be known of this machine before it is trusted.

Why apart from `__main__.py`: they measure the machine and not a train.py. Both print for a person, or one JSON object.
"""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lab import noise
from lab.clock import BUSY_MEAN, BUSY_SHARE, HIGHEST, LOWEST, SAMPLE_SECONDS, SAMPLE_STEPS, START_STEPS, UNIT
from lab.errors import LabError
from lab.referee import Request, measure

PROBE_SECONDS = 12.0  # wall seconds of watching the pacemaker
Say = Callable[[str], None]


def measure_noise(request: Request, seeds: int, say: Say = lambda text: None) -> dict[str, Any]:
    """Measure `request` with the seeds 0 to seeds - 1, remember their standard deviation, and say what it is.

    Raises LabError if one of the runs has no score.
    """
    scores: list[float] = []
    for seed in range(seeds):
        result = measure(replace(request, seed=seed))
        if result.val_bpb is None:
            raise LabError(
                f"the run with seed {seed} is {result.status}: {result.reason}; nothing was remembered, "
                f"{len(scores)} scores before it are lost; run it again"
            )
        scores.append(result.val_bpb)
        say(f"seed {seed}: {result.val_bpb:.5f} bits per byte, clock {result.clock}")
    s0 = noise.spread(scores)
    here = result.fingerprint or {}, result.conditions or {}
    noise.remember(*here, s0=round(s0, 6), seeds=seeds)
    return {
        "s0": round(s0, 6),
        "mean": round(statistics.mean(scores), 6),
        "scores": scores,
        "load": round(os.getloadavg()[0], 2),
        "fingerprint": here[0],
        "conditions": here[1],
    }


def noise_text(found: dict[str, Any]) -> str:
    """The result of `measure_noise` for a person."""
    return (
        f"s0 {found['s0']:.5f} bits per byte over {len(found['scores'])} seeds (mean {found['mean']:.5f}, "
        f"load of the machine {found['load']})\nremembered; measurements under these conditions now carry it"
    )


def probe(device: str, tier: Callable[[], str], seconds: float = PROBE_SECONDS) -> dict[str, Any]:
    """Whether this machine can measure, how fast and how evenly. `tier` finds the sandbox, or raises LabError."""
    from lab.conditions import device_model

    problems: list[str] = []
    found: dict[str, Any] = {"device": device, "model": device_model(device), "cores": os.cpu_count()}
    found["load"] = round(os.getloadavg()[0], 2)
    try:
        found["sandbox"] = tier()
    except LabError as error:
        found["sandbox"] = None
        problems.append(str(error))
    if device == "cpu":
        found |= _watch(seconds)
        if found["clamped"] > BUSY_SHARE or found["drift"] > BUSY_MEAN:
            problems.append("the machine is too busy: runs would be void; try again when it is quieter")
    else:
        problems += _accelerator(device, found)
    return found | {"can_measure": not problems, "problems": problems}


def probe_text(found: dict[str, Any]) -> str:
    """The result of `probe` for a person."""
    lines = [
        f"{'can' if found['can_measure'] else 'cannot'} measure here",
        f"device    {found['device']}: {found['model']}, {found['cores']} cores, load {found['load']}",
        f"sandbox   {found['sandbox'] or 'none that keeps its promises'}",
    ]
    if "u_ms" in found:
        lines += [
            f"speed     {found['u_ms']:.0f} CPU-ms a unit, some {found['train_seconds']:.0f} s for the default budget",
            f"noise     {found['spread']:.1%} from unit to unit, {found['clamped']:.0%} of them beyond belief",
        ]
    return "\n".join(lines + [f"problem   {text}" for text in found["problems"]])


def _watch(seconds: float) -> dict[str, Any]:
    """Take units from the pacemaker for a while, as the clock does during training."""
    from lab.pacemaker import Pacemaker
    from lab.settings import SIZES

    pacemaker = Pacemaker()
    try:
        units = [min(pacemaker.steps(START_STEPS))]
        end, began = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < end or len(units) < 3:
            units.append(min(pacemaker.steps(SAMPLE_STEPS)))
        wall = (time.monotonic() - began) / (len(units) - 1)
    finally:
        pacemaker.close()
    return describe(units, wall / SAMPLE_STEPS, SIZES["cpu"].budget)


def describe(units: list[float], wall: float, budget: float) -> dict[str, Any]:
    """Figures of several units (CPU-seconds), of which one takes `wall` seconds, for a budget in budget seconds."""
    mean = statistics.mean(units)
    outside = sum(not LOWEST * units[0] <= unit <= HIGHEST * units[0] for unit in units)
    stretch = wall / UNIT
    stops = budget / UNIT * mean / SAMPLE_SECONDS  # looks at the pacemaker during one training
    return {
        "u_ms": round(1000 * mean, 2),
        "spread": round(statistics.stdev(units) / mean, 4),
        "drift": round(mean / units[0], 3),
        "clamped": round(outside / len(units), 3),
        "train_seconds": round(budget * stretch + stops * SAMPLE_STEPS * wall, 1),
    }


def _accelerator(device: str, found: dict[str, Any]) -> list[str]:
    """What there is to say of a GPU, and what is in its way."""
    if device != "cuda":
        return []
    import torch

    free, total = torch.cuda.mem_get_info()
    found["memory_mb"], found["free_mb"] = total >> 20, free >> 20
    return [] if free > total // 2 else [f"other programs hold {(total - free) >> 20} MB of the GPU; end them"]
