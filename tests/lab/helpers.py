"""What the tests of the lab share: a tiny train.py to vary, and the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

TINY = """
import os, sys, time
import torch
import torch.nn as nn

class Tiny(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, 8)
        self.head = nn.Linear(8, vocab_size)

    def forward(self, idx):
        logits = self.head(self.embedding(idx))
        {forward}
        return logits

def build(bench):
    {build}
    return Tiny(bench.vocab_size)

def train(model, bench):
    {before}
    tokens = bench.start()
    step = 0
    while bench.progress() < 1:
        step += 1
        {step}
    bench.log(step, 1.5)
    {after}
"""


def tiny(forward: str = "", build: str = "", before: str = "", step: str = "", after: str = "") -> bytes:
    """The source of a train.py that does what it is told at these places."""
    places = {"forward": forward, "build": build, "before": before, "step": step, "after": after}
    text = TINY
    for name, code in places.items():
        indent = next(len(line) - len(line.lstrip()) for line in TINY.splitlines() if f"{{{name}}}" in line)
        body = textwrap.indent(textwrap.dedent(code).strip() or "pass", " " * indent).lstrip()
        text = text.replace(f"{{{name}}}", body)
    return text.encode()


def lab(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """`python -m lab …` in a process of its own."""
    command = [sys.executable, "-m", "lab", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False, **options)


def one_object(text: str) -> dict[str, Any]:
    """The JSON object that is all of `text`."""
    assert text.count("\n") == 1, text
    return json.loads(text)


def alive(pid: int) -> bool:
    """Whether the process `pid` still runs (a dead one that nobody waited for does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
