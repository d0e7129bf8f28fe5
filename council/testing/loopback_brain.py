"""The brain of the loopback provider: it reads the council's prompts and answers every step plausibly.

What: `answer` takes all text of a request and returns a proposal that changes one constant, comments, an answer, or a
ballot over the labels it saw. Why: whole nights can run without a model. How to extend: a step of the council is a
branch on its heading in `prompts/`. Its choices depend on text and model alone.
"""

from __future__ import annotations

import hashlib
import random
import re

TURN = re.compile(r"^# Your turn: (\w+)", re.MULTILINE)
LABEL = re.compile(r"^## Proposal ([A-Z]{1,3})$", re.MULTILINE)
CONSTANT = re.compile(r"^([A-Z][A-Z0-9_]*) = (\d+(?:\.\d+)?(?:e-?\d+)?)( *#.*)?$", re.MULTILINE)
FACTORS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.25, 1.5, 1.75, 2.0)
TUNED = ("_LR", "MOMENTUM", "DECAY", "WARM", "INIT", "BETA", "BASE", "FINAL", "SOFTCAP", "EPS")


def answer(text: str, model: str = "") -> str:
    """What this model would say to this prompt."""
    turns = TURN.findall(text)
    chance = random.Random(hashlib.sha256(f"{model}\n{text}".encode("utf-8", "replace")).digest())
    if not turns:
        return "OK"
    labels = list(dict.fromkeys(LABEL.findall(text)))
    if turns[-1] == "rank":
        return ballot(labels, chance)
    if turns[-1] == "comment":
        return "\n\n".join(f"COMMENT {label}: mind the learning rate when this changes." for label in labels) or "NONE"
    if turns[-1] == "answer":
        return "ANSWER: the comments are noted; the edit stands."
    return proposal(text, chance)


def ballot(labels: list[str], chance: random.Random) -> str:
    """A ballot over the labels."""
    order = chance.sample(labels, len(labels))
    forecasts = sorted((round(chance.uniform(0.05, 0.7), 2) for _ in order), reverse=True)
    lines = [f"{i}. {label} {p:.2f} because" for i, (label, p) in enumerate(zip(order, forecasts, strict=True), 1)]
    return "\n".join(["BALLOT", *lines])


def proposal(text: str, chance: random.Random) -> str:
    """One constant of the code in the prompt, changed."""
    code = re.search(r"^(`{3,})python\n(.*?)^\1$", text, re.DOTALL | re.MULTILINE)
    source = code[2] if code else ""
    found = [m for m in CONSTANT.finditer(source) if float(m[2]) and source.count(f"{m[0]}\n") == 1]
    tuned = [m for m in found if any(word in m[1] for word in TUNED)] or found
    if not tuned:
        return "ABSTAIN: there is no constant to change."
    match = chance.choice(tuned)
    value = float(match[2]) * chance.choice(FACTORS)
    new = f"{value:.4g}" if "." in match[2] or "e" in match[2] else str(max(1, round(value)))
    if new == match[2]:
        new = f"{float(match[2]) * 1.37:.4g}"
    return (
        f"TITLE: Set {match[1]} to {new}\nFAMILY: optimizer\nFORECAST: {chance.uniform(0.1, 0.6):.2f}\n"
        f"HYPOTHESIS: {match[1]} may be away from its best value at this budget.\nEDIT:\nlab/train.py\n"
        f"<<<<<<< SEARCH\n{match[0]}\n=======\n{match[1]} = {new}{match[3] or ''}\n>>>>>>> REPLACE\n"
    )
