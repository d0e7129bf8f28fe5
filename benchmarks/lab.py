"""What the lab costs beside training, each figure as a ratio or a difference within one run.

What: one measurement of lab/train.py at default sizes with the time of every phase; the same weights evaluated in one
process, for BPB and time; a sandboxed start beside a plain one. Why: all that is not training is time a night does
not have. How to run: `python benchmarks/lab.py [--budget S]`; some two minutes on a quiet machine, which it wants:
the figures of a busy one say so (load).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
SOURCE = ROOT / "lab" / "train.py"
IN_FLOAT32 = (b"torch.autocast(idx.device.type, dtype=torch.bfloat16)", b"torch.autocast('cpu', enabled=False)")


def main() -> None:
    parser = argparse.ArgumentParser(description="What the lab costs beside training.")
    parser.add_argument("--budget", type=float, default=15.0, help="budget seconds of the measurement (15)")
    options = parser.parse_args()
    from lab.errors import LabError
    from lab.referee import Request, measure
    from lab.sandbox_tiers import resolve

    try:
        tier = resolve("auto")
    except LabError:
        tier = "none"
    print(f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, sandbox {tier}")
    result = measure(Request(SOURCE.read_bytes(), budget=options.budget, sandbox=tier))
    if result.status != "ok":
        raise SystemExit(f"the measurement is {result.status}: {result.reason}")
    assert result.total_seconds and result.train_seconds and result.eval_seconds and result.startup_seconds
    other = result.total_seconds - result.train_seconds
    print(f"beside training            {other:6.2f} s of {result.total_seconds:.2f} s (promised: at most 6 s)")
    print(f"  start-up                 {result.startup_seconds:6.2f} s")
    print(f"  scoring and causality    {result.eval_seconds:6.2f} s {result.causality}")
    print(f"  the rest                 {other - result.startup_seconds - result.eval_seconds:6.2f} s")
    print(f"clock                      {result.clock}")
    hand_over(tier)
    start_up(tier)


def hand_over(tier: str) -> None:
    """Untrained weights in fp32: BPB and time of the boxes' answers beside one process that does it all."""
    import numpy as np
    import torch

    from lab.bpb import bits_per_byte, token_losses
    from lab.cache import prepare
    from lab.corpus import open_corpus
    from lab.data import experiment_data
    from lab.referee import Request, measure
    from lab.settings import SIZES

    torch.set_num_threads(1)
    # Too few steps to matter, and fp32, so that both sides compute the same.
    source = SOURCE.read_bytes().replace(*IN_FLOAT32).replace(b"bench.progress()) < 1", b"bench.progress()) < 0")
    source = source[: source.index(b"        if step % LOG_EVERY")]
    result = measure(Request(source, seed=3, sandbox=tier))
    if result.status != "ok":
        raise SystemExit(f"the measurement in fp32 is {result.status}: {result.reason}")
    data = experiment_data(prepare(open_corpus("sympy"), 2048), SIZES["cpu"], 3, "validation")
    torch.manual_seed(3)
    names: dict[str, Any] = {"__name__": "train"}
    exec(compile(source, "train.py", "exec"), names)
    bench = argparse.Namespace(device="cpu", vocab_size=2048, seq_len=128, seed=3, budget=15.0)
    model = names["build"](bench).eval()
    rows = torch.from_numpy(data.rows.astype(np.int64))
    began, cpu = time.monotonic(), time.process_time()
    with torch.inference_mode():
        losses = torch.cat(
            [token_losses(model(part[:, :-1]).reshape(-1, 2048), part[:, 1:].reshape(-1)) for part in rows.split(16)]
        )
    here, cpu = time.monotonic() - began, time.process_time() - cpu
    score = bits_per_byte(losses, rows[:, 1:].reshape(-1), torch.from_numpy(data.byte_lengths))
    assert result.eval_seconds and result.val_bpb and result.causality
    asked = 1024 + result.causality["edges"] + result.causality["controls"]
    print(f"BPB of the boxes           {result.val_bpb:.9f}, in one process {score:.9f}: {result.val_bpb - score:+.1e}")
    print(
        f"hand-over                  {result.eval_seconds:.2f} s for {asked} rows in two boxes; alone {here:.2f} s "
        f"({cpu:.2f} CPU-s) for {len(rows)}: ratio {result.eval_seconds / here * len(rows) / asked:.2f} per row, "
        f"{result.eval_seconds / here:.2f} in all (promised: at most 1.15)"
    )


def start_up(tier: str, times: int = 11) -> None:
    """How much longer a box of this tier takes to say ready than a plain one."""
    seconds: dict[str, list[float]] = {"none": [], tier: []}
    for _ in range(times):
        for name, found in seconds.items():  # in turn, so that both meet the same machine
            found.append(ready_after(name))
    plain, boxed = (statistics.median(seconds[name]) for name in ("none", tier))
    print(f"sandbox {tier:8}           {1000 * (boxed - plain):+.0f} ms over a plain start of {1000 * plain:.0f} ms")


def ready_after(tier: str) -> float:
    """Seconds from the launch of a box to its `ready`."""
    from lab.memory import ProgressPage, sealed
    from lab.process import Tree, become_subreaper
    from lab.sandbox import RunFolder, launch

    become_subreaper()
    folder, page = RunFolder(), ProgressPage()
    spec = {"role": "train", "device": "cpu", "vocab_size": 8, "seq_len": 8, "seed": 0, "budget": 1.0, "steps": 1}
    source = sealed("train.py", [b"\n"])
    try:
        began = time.monotonic()
        box = launch(spec, {"source": source, "progress": page.fd}, folder.fresh("box"), False, tier)
        box.channel.receive()
        took = time.monotonic() - began
        Tree(box.pid, set()).end()
        box.close()
    finally:
        os.close(source)
        page.close()
        folder.remove()
    return took


if __name__ == "__main__":
    main()
