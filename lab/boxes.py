"""The boxes of one measurement: starts them, tells them apart, and leaves nothing behind.

Why apart from the referee: whatever goes wrong, every process, folder and piece of memory of a measurement has to be
gone. All of it is handed to one `Boxes`, and `close` ends it in reverse order.

    boxes = Boxes(request)
    box, tree = boxes.launch("train", listen=True)
    boxes.end(tree)                          # everything that came out of it is dead
    boxes.close()
"""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from lab.memory import ProgressPage, sealed
from lab.process import Tree, become_subreaper
from lab.request import Request
from lab.sandbox import Box, RunFolder, launch


class Boxes:
    """What one measurement has started. Raises OSError if there is no folder to be had."""

    def __init__(self, request: Request) -> None:
        become_subreaper()
        self._request = request
        self._closers: list[Callable[[], object]] = []
        self._children: set[int] = set()  # pids of boxes, and of what else is the lab's own
        self._folder = RunFolder()
        self.on_close(self._folder.remove)
        self.page = ProgressPage()  # of the train box
        self.on_close(self.page.close)

    def launch(self, role: str, listen: bool) -> tuple[Box, Tree]:
        """A box, and all that will come out of it. Raises OSError or LabError."""
        source = sealed("train.py", [self._request.source])  # shared by no two boxes, so that none can leave a mark
        page = self.page if role == "train" else ProgressPage()
        try:
            fds = {"source": source, "progress": page.fd}
            folder = self._folder.fresh(secrets.token_hex(4))
            box = launch(self._spec(role), fds, folder, listen, self._request.sandbox)
        finally:
            os.close(source)
            if page is not self.page:
                page.close()
        self.spare(box.pid)
        tree = Tree(box.pid, self._children)
        self.on_close(box.close)
        self.on_close(tree.end)
        return box, tree

    def _spec(self, role: str) -> dict[str, Any]:
        request, sizes = self._request, self._request.sizes
        return {
            "role": role,
            "device": request.device,
            "vocab_size": sizes.vocab_size,
            "seq_len": sizes.seq_len,
            "seed": request.seed % 2**63,
            "budget": request.seconds,
            "steps": request.steps,
        }

    def spare(self, pid: int) -> None:
        """The child `pid` and what comes out of it belong to no box's tree but its own."""
        self._children.add(pid)

    def end(self, tree: Tree) -> None:
        """Kill a box and everything that came out of it. Raises LabError if something does not die."""
        tree.end()
        self._children.discard(tree.root)

    def keep(self, fd: int) -> int:
        """Close `fd` at the end."""
        self.on_close(lambda: os.close(fd))
        return fd

    def on_close(self, close: Callable[[], object]) -> None:
        """Call `close` at the end, before what was there earlier."""
        self._closers.append(close)

    def close(self) -> None:
        """End everything."""
        while self._closers:
            with suppress(OSError):
                self._closers.pop()()
