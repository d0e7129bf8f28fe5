"""What happened, in sentences made from data: for someone who sees a round or a night for the first time.

Pure functions over the views; foreign text is cleaned here, so that any face may print the result.
"""

from __future__ import annotations

from council.views.round import Experiment, Round
from council.views.status import Booked, Status
from council.views.words import bpb, clean, plural, probability, symbol


def sign(round_: Round) -> str:
    """The symbols of a round: its verdict, or a replicate's; and going back."""
    replicate = any(e.role == "replicate" for e in round_.experiments)
    first = symbol(round_.verdict or ("replicate" if replicate and round_.round else None)).strip()
    return first + (symbol("back") if round_.back else "")


def verdict(round_: Round) -> str:
    """One or two sentences: what ran, what was measured, why it was kept or not."""
    if round_.round == 0:
        return _baseline(round_)
    if round_.verdict is None:
        return _undecided(round_)
    ran = [e for e in round_.experiments if e.role in ("trial", "repair")]
    proposal = round_.proposal(ran[-1].label) if ran else None
    who = f"“{clean(proposal.title)}” by {clean(proposal.member, 60)}" if proposal else "The experiment"
    mended = ", repaired once after a crash," if any(e.role == "repair" for e in ran) else ""
    text = f"{who}{mended} {_DECIDED.get(round_.verdict, _unknown)(round_)}"
    again = [e for e in round_.experiments if e.role == "replicate" and e.measurement]
    if again:
        text += f" The booked best then ran again to test the machine: {_run(again[-1])}."
    if round_.back:
        text += " Believed no better than the baseline after that, so the council went back to the baseline."
    return text


def _keep(round_: Round) -> str:
    belief = "" if round_.belief is None else f"believed with {probability(round_.belief)} to be a real gain, "
    return f"was kept: measured {bpb(round_.bpb)}, {_apart(round_)} below the booked best; {belief}unconfirmed."


def _discard(round_: Round) -> str:
    measured = f"was discarded: measured {bpb(round_.bpb)}, {_apart(round_)}"
    if round_.delta is not None and round_.delta > 0:
        return f"{measured} below the booked best, too little for what the council expected of it."
    return f"{measured} above the booked best."


def _unknown(round_: Round) -> str:
    return f"was judged “{clean(round_.verdict, 40)}”, a verdict that nobody knows here; `council audit` looks into it."


def _apart(round_: Round) -> str:
    if round_.delta is None:
        return "an unknown distance"
    return f"{abs(round_.delta):.5f}" + ("" if round_.sigmas is None else f" ({abs(round_.sigmas):.1f} σ)")


_DECIDED = {
    "keep": _keep,
    "discard": _discard,
    "crash": lambda r: f"crashed ({clean(r.reason, 120)}), so the book stays as it was.",
    "rejected": lambda r: f"broke a rule of measurement ({clean(r.reason, 120)}), so its number does not count.",
    "void": lambda r: f"could not be measured ({clean(r.reason, 120)}); the machine failed, which settles nothing.",
}


def _baseline(round_: Round) -> str:
    runs = [e.measurement["val_bpb"] for e in round_.experiments if e.measurement and e.measurement["val_bpb"]]
    if not runs:
        return "The baseline, the unchanged train.py, has not been measured yet."
    return (
        f"The baseline, the unchanged train.py, measured {', '.join(map(bpb, runs))}; everything is compared with it."
    )


def _run(experiment: Experiment) -> str:
    """What a run measured, or how it failed."""
    found = experiment.measurement
    if found is None:
        return "not measured yet"
    return (
        bpb(found["val_bpb"]) if found["val_bpb"] is not None else clean(f"{found['status']}: {found['reason']}", 120)
    )


def _undecided(round_: Round) -> str:
    again = [e for e in round_.experiments if e.role == "replicate"]
    if again:
        back = " The council went back to the baseline." if round_.back else ""
        return f"No proposal could run, so the booked best ran again with a fresh seed: {_run(again[-1])}.{back}"
    if round_.experiments:
        return f"Experiment {round_.experiments[-1].number} has no measurement: it is running, or its session stopped."
    return f"This round has {plural(len(round_.proposals), 'proposal')} and has not run an experiment."


def fresh_pairs(book: Booked) -> str:
    """How often the booked best ran beside the baseline on fresh seeds, and which look at the two that was."""
    return plural(book.pairs, "fresh pair") + (f" (look {book.look})" if book.look > 1 else "")


def confirmation(book: Booked) -> str:
    """What fresh pairs of runs say of the booked best: `unconfirmed` until they confirm it."""
    pairs = fresh_pairs(book)
    if book.confirmed is not None:
        return f"confirmed gain {bpb(book.confirmed)} over {pairs}"
    return f"unconfirmed: {pairs} showed no sure gain" if book.pairs else "unconfirmed"


def standing(status: Status) -> str:
    """One sentence on the best: what is believed, and whether it is confirmed."""
    book = status.booked
    if book is None:
        return "The baseline is not measured yet."
    if book.is_baseline:
        return f"The best is still the baseline, booked at {bpb(book.best)} ± {bpb(book.best_sd)} BPB."
    return (
        f"Booked best {bpb(book.best)} ± {bpb(book.best_sd)} BPB ({confirmation(book)}), "
        f"baseline {bpb(book.baseline)} ± {bpb(book.baseline_sd)}; lower is better."
    )


KINDS = ("keep", "discard", "crash", "rejected", "void")
"""Verdicts in the order in which they are told."""


def tally(status: Status) -> str:
    """One sentence: how many experiments ended how."""
    words = {"keep": "kept", "discard": "discarded", "crash": "crashed", "rejected": "rejected", "void": "void"}
    parts = [f"{n} {words[kind]}" for kind in KINDS if (n := status.verdicts.get(kind, 0))]
    if status.replicates:
        parts.append(plural(status.replicates, "replicate"))
    if not parts:
        return "No experiment was decided."
    undone = sum(not edit.standing for edit in status.kept)
    back = f" {plural(undone, 'kept edit')} did not hold, and the council went back to the baseline." if undone else ""
    return f"Experiments: {', '.join(parts)}.{back}"
