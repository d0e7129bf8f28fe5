"""From weights to a score: which rows the score boxes get, whether they agree, and what comes of it.

Why apart from the referee: training and scoring share nothing but the weights. Two fresh boxes score (`causality.py`
says why two); below `thorough_below`, where a score would be booked, more boxes look at the same losses again, each
with cuts of its own, until `thorough_edges` places were looked at. Any finding ends it.

    evaluation = Evaluation(request, boxes, result, report)
    evaluation.prepare()                              # while training runs
    bpb = evaluation.score(data, weights, before_start=0.4)
"""

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from lab import causality, first_answer, noise
from lab.boxes import Boxes
from lab.clock import CpuClock
from lab.data import Data
from lab.measurement import Measurement
from lab.process import Tree
from lab.request import Request
from lab.sandbox import Box
from lab.scoring import Conversation, ScorePhase
from lab.training import Report, Weights

if TYPE_CHECKING:
    import torch


class Evaluation:
    """The scoring of one measurement; notes what it finds in `result`."""

    def __init__(self, request: Request, boxes: Boxes, result: Measurement, report: Report) -> None:
        self._request, self._boxes, self._result, self._report = request, boxes, result, report
        self._ready: list[tuple[Box, Tree]] = []
        self._importing = threading.Thread(target=_import_torch, daemon=True)  # while the train box does the same

    def begin(self) -> None:
        """Import torch in this process, in the background."""
        self._importing.start()

    def prepare(self) -> None:
        """Start the two score boxes: they import torch while the train box works, once this process has done so."""
        if self._importing.ident is not None:
            self._importing.join()
        self._ready = [self._boxes.launch("score", listen=False) for _ in range(2)]

    def score(self, data: Data, weights: Weights, before_start: float | None) -> float:
        """The BPB of `weights`, once all boxes agree on it. Raises Ended.

        `before_start` is what the train box used before it asked for the tokens, in CPU-seconds; None if nobody counts.
        """
        self._weights, self._before_start = weights, before_start
        batch = self._request.sizes.eval_batch
        probe = causality.spliced(data.rows, data.train, np.random.default_rng(), batch)
        if not self._ready:
            self.prepare()
        asked = [(inputs, probe.targets[rows]) for inputs, rows in zip(probe.inputs, probe.rows, strict=True)]
        losses = self._losses(self._ready, asked)
        seen = causality.compared(losses, probe)
        tolerance = self._tolerance(seen)
        self._decide(seen, tolerance)
        self._remember(seen)
        whole = causality.whole_losses(losses, probe)
        bpb = _bits_per_byte(whole, data)
        if self._request.thorough_below is not None and bpb < self._request.thorough_below:
            self._look_again(data, whole, seen, tolerance)
        return bpb

    def _look_again(self, data: Data, whole: Any, seen: causality.Compared, tolerance: float | None) -> None:
        """Fresh boxes, one after the other, until enough places were looked at. Raises Rejected."""
        batch, edges = self._request.sizes.eval_batch, self._request.thorough_edges
        generator = np.random.default_rng()
        while len(seen.edges) < edges:
            again = causality.again(data.rows, data.train, generator, batch, edges - len(seen.edges))
            if not again.edges:
                return
            box = self._boxes.launch("score", listen=False)
            (found,) = self._losses([box], [(again.inputs, data.rows[again.rows, 1:])])
            seen += causality.compare(whole.numpy()[again.rows], found.numpy(), again.cuts)
            self._decide(seen, tolerance)

    def _losses(
        self, boxes: list[tuple[Box, Tree]], asked: list[tuple[np.ndarray, np.ndarray]]
    ) -> "list[torch.Tensor]":
        """The losses of these boxes for (inputs, targets); the boxes are dead afterwards. Raises Ended."""
        request, sizes = self._request, self._request.sizes
        conversations = [
            Conversation(
                box, inputs, targets, sizes.vocab_size, sizes.eval_batch,
                CpuClock(tree) if self._before_start is not None else None,
            )
            for (box, tree), (inputs, targets) in zip(boxes, asked, strict=True)
        ]  # fmt: skip
        device = request.device if request.device == "cuda" else "cpu"
        limit = request.max_eval_seconds or sizes.eval_seconds
        losses = ScorePhase(conversations, device, limit, self._report).run(self._weights)
        for _, tree in boxes:
            self._boxes.end(tree)
        self._check_work([one.work for one in conversations if one.work is not None])
        return losses

    def _check_work(self, works: list[first_answer.Work]) -> None:
        """Raises Rejected if a box did more before its first answer than to rebuild the model."""
        if self._before_start is None:
            return
        noted = self._result.scoring or {"before_start": round(self._before_start, 3), "first_answer": [], "batch": []}
        noted["first_answer"] += [round(work.first, 3) for work in works]
        noted["batch"] += [round(work.batch, 4) for work in works]
        self._result.scoring = noted
        for work in works:
            first_answer.check(work, self._before_start, self._weights.size)

    def _decide(self, seen: causality.Compared, tolerance: float | None) -> None:
        """Note what was compared. Raises Rejected if it says so."""
        finding = causality.verdict(seen, tolerance)
        self._result.causality = {name: value for name, value in finding.items() if name != "reason"}
        causality.check(finding)

    def _tolerance(self, seen: causality.Compared) -> float | None:
        """How far losses may be apart on this device: what is remembered, and for a baseline what it shows itself."""
        if self._request.device == "cpu":
            return None
        known = noise.recall(self._result.fingerprint or {}, self._result.conditions or {}).get("tolerance", 0.0)
        return causality.usable_tolerance(max(known, seen.in_controls) if self._request.is_baseline else known)

    def _remember(self, seen: causality.Compared) -> None:
        """Keep the tolerance that an accepted baseline has shown; no other code may move it."""
        tolerance = self._tolerance(seen)
        if self._request.is_baseline and tolerance is not None:
            noise.remember(self._result.fingerprint or {}, self._result.conditions or {}, tolerance=tolerance)


def _bits_per_byte(losses: Any, data: Data) -> float:
    import torch

    from lab.bpb import bits_per_byte

    targets = torch.from_numpy(data.rows[:, 1:].astype(np.int64))
    return bits_per_byte(losses, targets, torch.from_numpy(data.byte_lengths))


def _import_torch() -> None:
    import torch

    torch.set_num_threads(1)
