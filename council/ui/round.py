"""A round as lines of text: the verdict in a sentence, proposals, ballots, experiments, the diff."""

from __future__ import annotations

from council.ui.text import cells, pad, paint, table, width, wrap
from council.views import sentences
from council.views.round import Experiment, Proposal, Round
from council.views.words import LEGEND, bpb, clean, clean_lines, delta, number, probability, sigmas, symbol

_NAME = 14


def lines(round_: Round, colour: bool = False) -> list[str]:
    """Everything about the round but its diff."""
    head = paint(f"Round {round_.round} of session {clean(round_.session)}", "bold", colour)
    return [
        f"{sentences.sign(round_)} {head}".strip(),
        *wrap(sentences.verdict(round_)),
        *_book(round_),
        *_proposals(round_),
        *_ballots(round_),
        *_experiments(round_),
        *_misses(round_),
        "",
        *wrap(LEGEND),
        *wrap("Lower BPB is better; Δ and σ are signed so that + is an improvement."),
    ]


def _book(round_: Round) -> list[str]:
    if round_.booked_after is None:
        return []
    before = "" if round_.booked_before is None else f"{bpb(round_.booked_before)} → "
    numbers = f"Δ {delta(round_.delta)} ({sigmas(round_.sigmas)}), belief {probability(round_.belief)}; "
    told = numbers if round_.delta is not None else ""
    after = f"{bpb(round_.booked_after)} ± {bpb(round_.booked_after_sd)}"
    return wrap(f"{told}booked {before}{after}; noise σ {bpb(round_.sigma)}")


def _proposals(round_: Round) -> list[str]:
    if not round_.proposals:
        return []
    signs = {e.label: symbol(e.verdict) for e in round_.experiments if e.label}
    rows = [
        (signs.get(p.label, " "), p.label, clean(p.member, _NAME), number(p.score), *_what(p)) for p in round_.proposals
    ]
    rule = f", by {clean(round_.rule, 20)} score" if round_.rule else ""
    return ["", f"Proposals{rule}", *table(("", "", "member", "score", "title"), rows, right=(3,), flex=4, indent="  ")]


def _what(proposal: Proposal) -> tuple[str]:
    title = clean(proposal.title, 120)
    if proposal.state == "valid":
        return (f"{title} [{clean(proposal.family, 20)}]",)
    return (f"{title} ({proposal.state}{': ' + clean(proposal.reason, 80) if proposal.reason else ''})",)


def _ballots(round_: Round) -> list[str]:
    if not round_.ballots:
        return []
    labels = sorted({label for b in round_.ballots for label in [*b.shown, *b.recused]}, key=lambda n: (len(n), n))
    first = max([len("judge"), *(cells(clean(b.member, _NAME)) for b in round_.ballots)])
    per = max(1, (width() - first - 4) // 11)
    found = ["", *wrap("Ballots: place, and forecast that it beats the book (* own proposal, no place)")]
    for start in range(0, len(labels), per):
        part = labels[start : start + per]
        found.append(f"  {pad('judge', first)}" + "".join(pad(label, 11, right=True) for label in part))
        for ballot in round_.ballots:
            row = "".join(pad(_vote(ballot.ranking, ballot.forecasts, ballot.recused, x), 11, True) for x in part)
            found.append(f"  {pad(clean(ballot.member, _NAME), first)}{row}")
    return found


def _vote(ranking: list[str] | None, forecasts: dict[str, float], recused: list[str], label: str) -> str:
    if label in recused:
        return f"* {probability(forecasts.get(label))}"
    if ranking is None:
        return "no ballot"
    place = f"{ranking.index(label) + 1}." if label in ranking else "–"
    return f"{place} {probability(forecasts.get(label))}"


def _experiments(round_: Round) -> list[str]:
    if not round_.experiments:
        return []
    rows = [
        (symbol(e.verdict or e.role), f"x{e.number}", e.role, e.label or "", _measured(e), e.commit[:10])
        for e in round_.experiments
    ]
    head = ("", "", "role", "", "measured", "commit")
    return ["", "Experiments", *table(head, rows, flex=4, indent="  ")]


def _measured(experiment: Experiment) -> str:
    found = experiment.measurement
    if found is None:
        return "no measurement: running, or cut off"
    if found["val_bpb"] is None:
        return clean(f"{found['status']}: {found['reason']}", 90)
    return f"{bpb(found['val_bpb'])} in {found['total_seconds']:.0f} s"


def _misses(round_: Round) -> list[str]:
    missed = [o for o in round_.outcomes if o["kind"] != "abstained"]  # saying nothing is no failure
    shown = [f"{clean(o['member'], _NAME)} at {o['step']}: {o['kind'].replace('_', ' ')}" for o in missed]
    bad = [
        f"{c['label']} ({clean(c['member'], _NAME)}) at {c['step']}: invalid, {clean(c['reason'], 120)}"
        for c in round_.checks
        if not c["valid"]
    ]
    if not shown and not bad:
        return []
    return ["", "What went wrong", *(line for text in [*bad, *shown] for line in wrap(text, indent="  "))]


def diff(round_: Round, colour: bool = False) -> list[str]:
    """The diff of what ran, or of the pick; what a round without either can show is said instead."""
    proposal = next((p for p in reversed(round_.proposals) if p.run is not None), round_.proposal(round_.pick))
    if proposal is None:
        return ["This round ran no edit, so there is no diff."]
    body = [paint(line, _style(line), colour) if _style(line) else line for line in clean_lines(proposal.diff or "")]
    title = f"{proposal.label}: {clean(proposal.title)} ({clean(proposal.member, 40)})"
    about = wrap(f"Hypothesis: {clean(proposal.hypothesis, 1000)}")
    return [paint(title, "bold", colour), *about, *(body or ["(no change)"])]


def _style(line: str) -> str:
    if line.startswith(("+++", "---")):
        return "bold"
    return {"+": "good", "-": "bad", "@": "place"}.get(line[:1], "")
