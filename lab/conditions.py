"""Where a measurement was made: two that differ in any of this are never compared.

conditions("cpu", clock="cpu-seconds", budget=15.0, sandbox="none")
"""

import platform
from functools import cache
from importlib.metadata import version
from typing import Any


def conditions(device: str, clock: str, budget: float, sandbox: str) -> dict[str, Any]:
    """Machine, threads, precision, torch, clock, budget (seconds) and sandbox."""
    return {
        "device": device_model(device),
        "threads": 1 if device == "cpu" else None,
        "precision": "float32 scoring",
        "torch": version("torch"),
        "clock": clock,
        "budget": budget,
        "sandbox": described(sandbox),
    }


def described(tier: str) -> str:
    """The sandbox tier, and which of its reported guarantees the self-test found open on this machine."""
    if tier == "none":
        return tier
    from lab.sandbox_selftest import examine

    still_open = [name for name, closed in examine(tier).guarantees.items() if not closed]
    return f"{tier}, open: {', '.join(still_open)}" if still_open else tier


@cache
def device_model(device: str) -> str:
    """The name of the processor or GPU that trains."""
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name(0)
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def best_device() -> str:
    """`cuda` if there is a GPU that torch can use, else `mps`, else `cpu`."""
    if _nothing_but_a_cpu():
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _nothing_but_a_cpu() -> bool:
    """Whether it is clear without importing torch, which takes a second, that there is no accelerator."""
    from pathlib import Path

    linux_without_driver = platform.system() == "Linux" and not Path("/proc/driver/nvidia").exists()
    return linux_without_driver and not Path("/dev/nvidiactl").exists() and not Path("/dev/dxg").exists()


def gpu_memory_mb() -> float:
    """Memory in use on the GPU by everyone, MB, as the driver says."""
    import torch

    free, total = torch.cuda.mem_get_info()
    return (total - free) / (1 << 20)
