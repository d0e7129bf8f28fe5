"""Measures one `train.py`: owns the data, the clock and the score.

Why a process of its own: edited code is rewarded for a low number, so it runs elsewhere (`box.py`) and
this process never imports it and never unpickles anything. The order is fixed: train box, weights,
*everything of the train box dead*, two score boxes, losses, a look at whether they agree, score.

    request = Request(source, device="cpu", seed=1)
    measurement = measure(request)

`smoke(source)` runs the same boxes for three steps on random tokens.
"""

import hashlib
import os
import secrets
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from lab import causality, noise, settings
from lab.cache import cache_folder, prepare
from lab.clock import Clock, CpuClock, PacemakerClock, WallClock, hold
from lab.conditions import conditions, gpu_memory_mb
from lab.corpus import named, open_corpus
from lab.data import Data, experiment_data, fingerprint, random_data
from lab.errors import Ended, LabError, Rejected
from lab.measurement import Measurement
from lab.memory import ProgressPage, sealed
from lab.pacemaker import Pacemaker
from lab.process import Tree, become_subreaper
from lab.sandbox import Box, RunFolder, launch
from lab.scoring import Conversation, ScorePhase
from lab.settings import SIZES, Sizes
from lab.training import Report, TrainPhase, Weights


@dataclass(frozen=True)
class Request:
    """What is to be measured, and how."""

    source: bytes  # of train.py
    device: str = "cpu"
    budget: float | None = None  # seconds; None is the device's default
    seed: int = 0
    split: str = "validation"
    sandbox: str = "none"
    corpus: str = "auto"
    max_eval_seconds: float | None = None
    steps: int = 0  # a smoke run ends after this many steps; 0 is a measurement
    wall_seconds: float = float("inf")
    clock: str = "auto"  # or cpu-seconds, on a CPU

    @property
    def sizes(self) -> Sizes:
        return SIZES[self.device]

    @property
    def seconds(self) -> float:
        """The budget."""
        return self.sizes.budget if self.budget is None else self.budget


def measure(request: Request, report: Report = lambda line: None) -> Measurement:
    """Train, score, and say what came of it. Whatever goes wrong is a status, never an exception."""
    began = time.monotonic()
    result = _blank(request)
    try:
        if len(request.source) > settings.SOURCE_CAP:
            raise Rejected(f"train.py has {len(request.source)} bytes, at most {settings.SOURCE_CAP} are allowed")
        Experiment(request, result, report).run()
    except Ended as ended:
        result.status, result.reason = ended.status, ended.reason
    except (LabError, OSError) as error:
        result.status, result.reason = "void", f"the lab failed: {error}"
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        result.status, result.reason = "void", f"the lab failed: {type(error).__name__}: {error}"
    result.total_seconds = round(time.monotonic() - began, 3)
    return result


def smoke(source: bytes, report: Report = lambda line: None, sandbox: str = "none") -> Measurement:
    """Three steps on random tokens in the same boxes, on the CPU: does it run at all?"""
    limit = settings.SMOKE_SECONDS
    request = Request(
        source, budget=limit, steps=settings.SMOKE_STEPS, wall_seconds=limit, max_eval_seconds=limit, sandbox=sandbox
    )
    result = measure(request, report)
    result.val_bpb = None
    return result


def _blank(request: Request) -> Measurement:
    return Measurement(
        status="void",
        device=request.device,
        sandbox=request.sandbox,
        seed=request.seed,
        split=request.split,
        s0=request.sizes.s0,
        sha256=hashlib.sha256(request.source).hexdigest(),
    )


class Experiment:
    """One measurement on its way; `run` fills in the result."""

    def __init__(self, request: Request, result: Measurement, report: Report) -> None:
        self.request, self.result, self.report = request, result, report
        self._closers: list[Callable[[], object]] = []
        self._children: set[int] = set()  # pids of boxes
        self._score_boxes: list[Box] = []
        self._importing = threading.Thread(target=_import_torch, daemon=True)  # while the train box does the same

    def run(self) -> None:
        """Raises Ended or LabError or OSError; leaves no process and no file in any case."""
        try:
            self._run()
        finally:
            for close in reversed(self._closers):
                with suppress(OSError):
                    close()

    def _run(self) -> None:
        become_subreaper()
        request, result = self.request, self.result
        data, readable = self._data()
        self._folder = RunFolder()
        self._closers.append(self._folder.remove)
        self._page = ProgressPage()
        self._closers.append(self._page.close)
        phase, tree = self._train_phase(data, readable)
        result.conditions = conditions(request.device, phase.clock.name, request.seconds, request.sandbox)
        result.s0 = noise.recall(result.fingerprint or {}, result.conditions).get("s0", result.s0)
        try:
            weights = phase.run()
        finally:
            self._note(phase)
            tree.end()
            self._children.discard(tree.root)
        self._keep(weights.fd)
        phase.clock.finish()
        result.params = weights.numbers
        began = time.monotonic()
        result.val_bpb = self._score(data, weights)
        result.eval_seconds = round(time.monotonic() - began, 3)
        result.status = "ok"

    def _score(self, data: Data, weights: Weights) -> float:
        """The BPB of `weights`, once two boxes agree on it. Raises Ended."""
        request, sizes = self.request, self.request.sizes
        probe = causality.spliced(data.rows, data.train, np.random.default_rng(), sizes.eval_batch)
        if not self._score_boxes:
            self._prepare_scoring()
        conversations = [
            Conversation(box, inputs, probe.targets[rows], sizes.vocab_size, sizes.eval_batch)
            for box, inputs, rows in zip(self._score_boxes, probe.inputs, probe.rows, strict=True)
        ]
        device = request.device if request.device == "cuda" else "cpu"
        limit = request.max_eval_seconds or sizes.eval_seconds
        losses = ScorePhase(conversations, device, limit, self.report).run(weights)
        finding = causality.judge(losses, probe, self._tolerance(losses, probe))
        self.result.causality = {name: value for name, value in finding.items() if name != "reason"}
        causality.check(finding)
        return _bits_per_byte(causality.whole_losses(losses, probe), data)

    def _tolerance(self, losses: causality.Losses, probe: causality.Probe) -> float | None:
        """How far losses may be apart on this device; the first measurement under these conditions finds it out."""
        if self.request.device == "cpu":
            return None
        here = self.result.fingerprint or {}, self.result.conditions or {}
        if "tolerance" not in noise.recall(*here):
            noise.remember(*here, tolerance=causality.control_difference(losses, probe))
        return causality.usable_tolerance(noise.recall(*here)["tolerance"])

    def _data(self) -> tuple[Data, bool]:
        """What is trained and scored on, and whether a box could read the training text on the disk."""
        request, sizes = self.request, self.request.sizes
        if request.steps:
            return random_data(sizes, request.seed), False
        corpus = named(request.corpus, request.device, cache_folder() / "parquet")
        prepared = prepare(open_corpus(corpus), sizes.vocab_size)
        self.result.fingerprint = fingerprint(prepared, sizes)
        return experiment_data(prepared, sizes, request.seed, request.split), (
            prepared.readable_in_box or request.sandbox == "none"
        )

    def _train_phase(self, data: Data, readable: bool) -> tuple[TrainPhase, Tree]:
        request = self.request
        tokens = self._keep(sealed("tokens", [np.ascontiguousarray(data.train)]))
        has_pacemaker = request.device == "cpu" and request.clock == "auto" and not request.steps
        pacemaker = self._start_pacemaker() if has_pacemaker else None
        box, tree = self._launch("train", listen=True)
        self._importing.start()
        clock: Clock
        if pacemaker is not None:
            clock = PacemakerClock(CpuClock(tree), pacemaker.steps, lambda still: hold(tree, still))
        elif request.device == "cpu":
            clock = CpuClock(tree)
        else:
            clock = WallClock(0.0 if readable else settings.COMPILE_SECONDS)
        phase = TrainPhase(
            box, clock, self._page, tokens, len(data.train), request.seconds, request.sizes.weights_cap,
            request.source.count(b"\n") + 1, request.steps > 0, request.wall_seconds, self._watching_gpu(self.report),
            self._prepare_scoring,
        )  # fmt: skip
        return phase, tree

    def _start_pacemaker(self) -> Pacemaker:
        pacemaker = Pacemaker()
        self._children.add(pacemaker.pid)
        self._closers.append(pacemaker.close)
        return pacemaker

    def _launch(self, role: str, listen: bool) -> tuple[Box, Tree]:
        request, sizes = self.request, self.request.sizes
        spec: dict[str, Any] = {
            "role": role,
            "device": request.device,
            "vocab_size": sizes.vocab_size,
            "seq_len": sizes.seq_len,
            "seed": request.seed % 2**63,
            "budget": request.seconds,
            "steps": request.steps,
        }
        source = sealed("train.py", [request.source])  # shared with no other box, so that none can leave a mark there
        page = self._page if role == "train" else ProgressPage()
        try:
            fds = {"source": source, "progress": page.fd}
            box = launch(spec, fds, self._folder.fresh(secrets.token_hex(4)), listen, request.sandbox)
        finally:
            os.close(source)
            if page is not self._page:
                page.close()
        self._children.add(box.pid)
        tree = Tree(box.pid, self._children)
        self._closers.append(box.close)
        self._closers.append(tree.end)
        return box, tree

    def _prepare_scoring(self) -> None:
        """While the train box works, let the score boxes import torch; this process has done so when that begins."""
        if self._importing.ident is not None:
            self._importing.join()
        self._score_boxes = [self._launch("score", listen=False)[0] for _ in range(2)]

    def _watching_gpu(self, report: Report) -> Report:
        """Where there is a GPU, also note once a second how much of its memory is in use."""
        if self.request.device != "cuda":
            return report

        def watch(line: dict[str, Any]) -> None:
            self.result.peak_memory_mb = round(max(self.result.peak_memory_mb or 0.0, gpu_memory_mb()), 1)
            report(line)

        return watch

    def _note(self, phase: TrainPhase) -> None:
        """Keep what is known of the training, also when it failed."""
        result = self.result
        result.charged = None if phase.charged is None else round(phase.charged, 4)
        result.startup_seconds = _rounded(phase.startup_seconds)
        result.train_seconds = _rounded(phase.train_seconds)
        if result.peak_memory_mb is None:
            result.peak_memory_mb = _rounded(phase.peak_memory_mb)
        result.clock = phase.clock.report()
        result.reported = phase.reported
        result.has_text = phase.has_text
        result.log_tail = phase.log_tail()

    def _keep(self, fd: int) -> int:
        self._closers.append(lambda: os.close(fd))
        return fd


def _bits_per_byte(losses: Any, data: Data) -> float:
    import torch

    from lab.bpb import bits_per_byte

    targets = torch.from_numpy(data.rows[:, 1:].astype(np.int64))
    return bits_per_byte(losses, targets, torch.from_numpy(data.byte_lengths))


def _import_torch() -> None:
    import torch

    torch.set_num_threads(1)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
