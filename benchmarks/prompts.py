"""How long the prompts of a night are and what a round costs: tokens, cached share and dollars for a council of four.

What: builds real prompts from this repository's train.py and program.md for rounds 1, 10 and 100 of a made-up night
with titles of full length, and prices them with the bundled list. Why: whoever changes a template sees what it costs.
How to run: `python benchmarks/prompts.py [MODEL …]`, a model as `kind:name`. Needs no key and no network.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from council import tokens
from council.members import load, prompt
from council.members.llm import LLMMember
from council.types import FAMILIES, Brief, Entry, Past, Slate

ROOT = Path(__file__).resolve().parents[1]
MODELS = (
    "anthropic:claude-opus-5-5",
    "openai:gpt-5.6",
    "litellm:gemini/gemini-3.1-pro-preview",
    "litellm:xai/grok-4.7",
)
TITLE = ("Set the learning rate of Muon to 0.04 and let its momentum grow from 0.85 to 0.95 over the warm-down, " * 2)[
    :120
]
DIFF = "@@ -1,3 +1,3 @@\n HEAD_DIM = 64\n-MATRIX_LR = 0.03\n+MATRIX_LR = 0.04\n MLP_RATIO = 4\n" * 4
KEEP_EVERY = 12


def brief_at(round_: int) -> Brief:
    """The brief of a round of a night that keeps an edit every twelve rounds."""
    past = [Past(0, 1, "baseline", "", "", False, "", 1.8, None, None, "")]
    for n in range(1, round_):
        verdict = "keep" if n % KEEP_EVERY == 0 else "discard"
        sigmas = (n * 37 % 40) / 10 - 2
        past.append(Past(n, n + 1, "trial", TITLE, FAMILIES[n * 7 % 12], False, verdict, 1.8, sigmas, sigmas, ""))
    program, source = ((ROOT / name).read_text() for name in ("program.md", "lab/train.py"))
    return Brief("bench", round_, program, source, tuple(past), 1.79, 0.004, 0.008, 1.8, 15, 3, round_)


def main() -> None:
    """Print the two tables."""
    everything = 10**9
    slate = Slate(
        "m", tuple(Entry(x, TITLE, "It should help because it does. " * 10, "optimizer", DIFF) for x in "ABC")
    )
    comments = ("The rate was doubled in x31 and came in 0.4 σ worse; say what differs now. " * 3,) * 3
    heard = Slate("m", tuple(replace(e, comments=comments, answer="I lower it to 0.035. " * 5) for e in slate.entries))
    print("tokens by our count           round 1   round 10  round 100")
    for name, make in (
        ("propose", lambda b: prompt.propose(b, everything)),
        ("comment", lambda b: prompt.critique(b, slate, everything)),
        ("rank", lambda b: prompt.rank(b, slate, everything)),
        ("rank after a debate", lambda b: prompt.rank(b, heard, everything)),
    ):
        found = [make(brief_at(n)) for n in (1, 10, 100)]
        print(f"{name:26}" + "".join(f"{one.tokens:11,}" for one in found))
        stable = [tokens.count(one.system) + tokens.count(one.prefix) for one in found]
        shares = "".join(f"{s / one.tokens:11.0%}" for s, one in zip(stable, found, strict=True))
        print(f"{'  of it unchanged prefix':26}{shares}")
    print("\ndollars a round (propose, comment, answer, rank)      round 1   round 100   100 rounds")
    total = [0.0, 0.0]
    for named in sys.argv[1:] or MODELS:
        kind, _, model = named.partition(":")
        member = load(kind)("m", model=model)
        assert isinstance(member, LLMMember)
        costs = [member.estimate(brief_at(n), 3) for n in (1, 100)]
        total = [a + b for a, b in zip(total, costs, strict=True)]
        print(f"{named:48}{costs[0]:13.4f}{costs[1]:12.4f}{sum(costs) * 50:13.2f}")
    print(f"{'all':48}{total[0]:13.4f}{total[1]:12.4f}{sum(total) * 50:13.2f}")


if __name__ == "__main__":
    main()
