"""Measures one `train.py`: owns the data, the clock and the score.

Why a process of its own: edited code is rewarded for a low number, so it runs elsewhere (`box.py`) and
this process never imports it and never unpickles anything. The order is fixed: train box, weights,
*everything of the train box dead*, two score boxes, losses, a look at whether they agree, score.

    request = Request(source, device="cpu", seed=1)
    measurement = measure(request)

`smoke(source)` runs the same boxes for three steps on random tokens.
"""

import hashlib
import sys
import time
import traceback
from typing import Any

import numpy as np

from lab import noise, settings
from lab.boxes import Boxes
from lab.cache import cache_folder, prepare
from lab.clock import Clock, CpuClock, PacemakerClock, WallClock, hold
from lab.conditions import conditions, gpu_memory_mb
from lab.corpus import named, open_corpus
from lab.data import Data, experiment_data, fingerprint, random_data
from lab.errors import Ended, LabError, Rejected
from lab.evaluation import Evaluation
from lab.measurement import Measurement
from lab.memory import sealed
from lab.pacemaker import Pacemaker
from lab.process import Tree
from lab.request import Request
from lab.training import Report, TrainPhase

__all__ = ["Experiment", "Request", "measure", "smoke"]


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

    def run(self) -> None:
        """Raises Ended or LabError or OSError; leaves no process and no file in any case."""
        data, readable = self._data()
        boxes = Boxes(self.request)
        try:
            self._run(boxes, data, readable)
        finally:
            boxes.close()

    def _run(self, boxes: Boxes, data: Data, readable: bool) -> None:
        request, result = self.request, self.result
        evaluation = Evaluation(request, boxes, result, self.report)
        phase, tree = self._train_phase(boxes, evaluation, data, readable)
        result.conditions = conditions(request.device, phase.clock.name, request.seconds, request.sandbox)
        result.s0 = noise.recall(result.fingerprint or {}, result.conditions).get("s0", result.s0)
        try:
            weights = phase.run()
        finally:
            self._note(phase)
            boxes.end(tree)
        boxes.keep(weights.fd)
        phase.clock.finish()
        result.params = weights.numbers
        began = time.monotonic()
        result.val_bpb = evaluation.score(data, weights, phase.before_start)
        result.eval_seconds = round(time.monotonic() - began, 3)
        result.status = "ok"

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

    def _train_phase(self, boxes: Boxes, evaluation: Evaluation, data: Data, readable: bool) -> tuple[TrainPhase, Tree]:
        request = self.request
        tokens = boxes.keep(sealed("tokens", [np.ascontiguousarray(data.train)]))
        has_pacemaker = request.device == "cpu" and request.clock == "auto" and not request.steps
        pacemaker = _start_pacemaker(boxes) if has_pacemaker else None
        box, tree = boxes.launch("train", listen=True)
        evaluation.begin()
        clock: Clock
        if pacemaker is not None:
            clock = PacemakerClock(CpuClock(tree), pacemaker.steps, lambda still: hold(tree, still))
        elif request.device == "cpu":
            clock = CpuClock(tree)
        else:
            clock = WallClock(0.0 if readable else settings.COMPILE_SECONDS)
        phase = TrainPhase(
            box, clock, boxes.page, tokens, len(data.train), request.seconds, request.sizes.weights_cap,
            request.source.count(b"\n") + 1, request.steps > 0, request.wall_seconds, self._watching_gpu(self.report),
            evaluation.prepare,
        )  # fmt: skip
        return phase, tree

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


def _start_pacemaker(boxes: Boxes) -> Pacemaker:
    pacemaker = Pacemaker()
    boxes.spare(pacemaker.pid)
    boxes.on_close(pacemaker.close)
    return pacemaker


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
