"""The ranked rules against an independent library, `votelib` (PyPI, MIT). Skipped where it is not installed."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from council.judge import borda, schulze
from council.types import Ballot

votelib = pytest.importorskip("votelib", reason="votelib is not installed: `pip install votelib`")


def election(rng: random.Random) -> list[str]:
    letters = "ABCDE"[: rng.randint(2, 5)]
    return ["".join(rng.sample(letters, len(letters))) for _ in range(rng.randint(1, 12))]


def votes(rankings: list[str]) -> tuple[dict[str, dict[str, int]], dict[str, Ballot]]:
    slates = {f"v{i}": {c: ord(c) for c in r} for i, r in enumerate(rankings)}
    return slates, {f"v{i}": Ballot(tuple(r), dict.fromkeys(r, 0.5)) for i, r in enumerate(rankings)}


def winners(scores: dict[int, float]) -> set[str]:
    return {chr(p) for p, x in scores.items() if x > max(scores.values()) - 1e-9}


@pytest.mark.parametrize("seed", range(60))
def test_borda_winners_are_the_librarys(seed: int) -> None:
    import votelib.component.rankscore
    import votelib.convert

    rankings = election(random.Random(seed))
    convert = votelib.convert.RankedToPositionalVotes(votelib.component.rankscore.Borda(base=0))
    theirs = convert.convert(dict(Counter(tuple(r) for r in rankings)))
    ours = borda.tally(*votes(rankings))
    assert winners(ours) == {c for c, x in theirs.items() if x == max(theirs.values())}


@pytest.mark.parametrize("seed", range(60))
def test_schulze_paths_beat_as_the_librarys(seed: int) -> None:
    import votelib.convert
    import votelib.evaluate.condorcet

    rankings = election(random.Random(seed))
    counts = votelib.convert.RankedToCondorcetVotes().convert(dict(Counter(tuple(r) for r in rankings)))
    theirs = votelib.evaluate.condorcet.Schulze.widest_paths(counts)
    support = schulze.pairwise(*votes(rankings))
    ours = schulze.strongest_paths(support, sorted({p for pair in support for p in pair}))
    for (a, b), path in ours.items():
        mine = path > ours[b, a]
        other = theirs.get((chr(a), chr(b)), 0) > theirs.get((chr(b), chr(a)), 0)
        assert mine == other, (rankings, chr(a), chr(b))
