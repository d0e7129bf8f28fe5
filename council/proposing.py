"""The steps that make proposals: propose, guard, repair, debate. Each writes its rows once and returns if they exist.

A proposal that replaces another (a repair of an invalid one, a revision after debate, a late repair of a crash) is a
new row that names it; the latest valid one of a member stands. The guard's dear check, trying the code, runs here
because it needs the executor.
"""

from __future__ import annotations

import asyncio
import unicodedata
from dataclasses import dataclass, replace

from council import edit as edits
from council import guard, records, syntax
from council.brief import brief
from council.debated import said_of
from council.errors import BadReply, EditError
from council.judge.slates import draw
from council.room import Room
from council.store import Row, now
from council.types import (
    FAMILIES,
    TITLE_LIMIT,
    TRAIN_PY,
    Block,
    Critique,
    Edit,
    Entry,
    Proposal,
    Response,
    Slate,
    Turn,
)

HYPOTHESIS_LIMIT = 4000
COMMENT_LIMIT = 8000
EDIT_LIMIT = 4 * guard.SOURCE_LIMIT
"""Longest edit that is read at all, in characters; what is longer than train.py may be is the guard's to refuse."""
GUARDED = ("propose", "repair", "debate")
"""The steps whose proposals the guard checks before the vote; a late repair is checked where it is made."""


async def propose_turn(room: Room, round_: int, name: str) -> None:
    """Ask one member for its proposal."""
    key: Row = {"session": room.sid, "round": round_, "step": "propose", "member": name, "attempt": 1}
    if room.store.one("proposals", **key) or room.store.one("outcomes", **key):
        return
    turn = room.turn(round_, "propose", name)
    found, outcome = await room.ask(turn, lambda: room.members[name].propose(brief(room, round_, name), turn), sound)
    with room.store.atomic():
        if found is None:
            room.store.insert("outcomes", outcome or {})
            return
        room.store.insert("proposals", proposal_row(room, turn, found))
    room.say("member", f"{name} proposes: {found.title[:TITLE_LIMIT]}", round=round_, step="propose", member=name)


def sound(found: object) -> Proposal:
    """The proposal with clean texts. Raises BadReply for what no guard could even look at."""
    if not isinstance(found, Proposal):
        raise BadReply(f"a proposal was expected, not {type(found).__name__}")
    if not isinstance(found.title, str) or not isinstance(found.hypothesis, str):
        raise BadReply("the title and the hypothesis must be texts")
    if not isinstance(found.forecast, int | float) or not 0 <= found.forecast <= 1:
        raise BadReply(f"the forecast must lie between 0 and 1, not {found.forecast!r:.40}")
    edit = found.edit
    blocks = edit.blocks if isinstance(edit, Edit) else None
    if not isinstance(blocks, tuple | list) or not all(isinstance(b, Block) for b in blocks):
        raise BadReply("the edit must be SEARCH/REPLACE blocks or one whole file")
    texts = [
        edit.path,
        "" if edit.whole is None else edit.whole,
        *(t for b in blocks for t in (b.search, b.replace)),
    ]
    if not all(isinstance(text, str) for text in texts):
        raise BadReply("the edit must consist of texts")
    if sum(map(len, texts)) > EDIT_LIMIT:
        raise BadReply(f"the edit has more than {EDIT_LIMIT} characters")
    if any("\ud800" <= c <= "\udfff" for text in texts for c in text):
        raise BadReply("the edit holds characters that are not valid Unicode")
    return replace(
        found, title=" ".join(plain(found.title).split()) or "(no title)", hypothesis=plain(found.hypothesis)
    )


def plain(text: str) -> str:
    """A member's text without control characters, invisible ones and halves of characters."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cn", "Co", "Cs"))


def proposal_row(room: Room, turn: Turn, proposal: Proposal, replaces: int | None = None) -> Row:
    """The row of a proposal, with its diff and fingerprint where the edit applies to the round's parent."""
    diff = code = None
    try:
        parent = parent_source(room, turn.round)
        source = edits.apply(proposal.edit, parent)
        diff, code = edits.unified(parent, source), syntax.fingerprint(source)
    except (EditError, syntax.Unparsable):
        pass  # the guard says which
    return {
        "session": room.sid,
        "round": turn.round,
        "step": turn.step,
        "member": turn.member,
        "attempt": turn.attempt,
        "at": now(),
        "replaces": replaces,
        "title": proposal.title[:TITLE_LIMIT],
        "hypothesis": proposal.hypothesis[:HYPOTHESIS_LIMIT],
        "family": proposal.family if proposal.family in FAMILIES else "other",
        "edit": records.edit_json(proposal.edit),
        "forecast": float(proposal.forecast),
        "diff": diff,
        "code": code,
    }


def parent_source(room: Room, round_: int) -> str:
    """train.py as the round found it."""
    opened = room.store.one("rounds", session=room.sid, round=round_)
    assert opened is not None, "the brief step opens the round"
    return room.repo.read(opened["parent"], TRAIN_PY)


async def guard_round(room: Room, round_: int) -> None:
    """Check every proposal of the round that has not been checked."""
    rows = room.store.rows("proposals", order="member, id", session=room.sid, round=round_)
    done = records.checks(room.store, room.sid, round_)
    known = records.known_code(room.store, room.sid)
    waiting: list[Checking] = []
    for step in GUARDED:  # in the order of the steps and members, so that a resumed guard says what the killed one said
        group = [row for row in rows if row["step"] == step]
        for row in group:
            checking = static(room, round_, row, known)
            if row["id"] not in done:
                waiting.append(checking)
            if row["code"] and not checking.reason:
                known[row["code"]] = f"a proposal of this round ({row['title']})"
        for row in group:  # refused or not: what was proposed before may not come again, whoever's it is
            if row["code"]:
                known.setdefault(row["code"], f"a proposal of this round ({row['title']})")
    await asyncio.gather(*(finish_check(room, round_, checking) for checking in waiting))


@dataclass
class Checking:
    """A proposal on its way through the guard: its source, and why it fails ('' so far fine)."""

    row: Row
    source: str
    reason: str


def static(room: Room, round_: int, row: Row, known: dict[str, str]) -> Checking:
    """The cheap checks of one proposal."""
    try:
        source = edits.apply(records.proposal_of(row).edit, parent_source(room, round_))
    except EditError as error:
        return Checking(row, "", str(error))
    return Checking(row, source, guard.inspect(source, known))


async def finish_check(room: Room, round_: int, checking: Checking) -> bool:
    """Try the code if it got this far, and record the guard's word."""
    started, row, reason = now(), checking.row, checking.reason
    if not reason:
        async with room.smoke_slots:
            tried = await room.executor.smoke(checking.source)
        reason = "" if tried.ok else (tried.reason or "it failed on tiny sizes")
    with room.store.atomic():
        room.store.insert(
            "checks",
            {
                "session": room.sid,
                "round": round_,
                "proposal": row["id"],
                "at": now(),
                "valid": not reason,
                "reason": reason,
                "seconds": round(now() - started, 3),
            },
        )
    word = "valid" if not reason else f"invalid: {reason.splitlines()[0]}"
    room.say("step", f"{row['member']}'s proposal is {word}", round=round_, step="guard", member=row["member"])
    return not reason


async def repair_turn(room: Room, round_: int, proposal: int) -> None:
    """Give an invalid edit back to its author, once, with the exact reason."""
    row = room.store.get("proposals", proposal)
    check = room.store.one("checks", proposal=proposal)
    assert check is not None, "only a checked proposal is repaired"
    await mend(room, row, check["reason"], "repair")


async def mend(room: Room, row: Row, reason: str, step: str) -> int | None:
    """Ask the author for a repaired proposal at `step`; the id of its row, or None if it gave up."""
    name, round_ = row["member"], row["round"]
    key = {"session": room.sid, "round": round_, "step": step, "member": name, "attempt": 1}
    if done := room.store.one("proposals", **key):
        return int(done["id"])
    if room.store.one("outcomes", **key):
        return None
    turn, old = room.turn(round_, step, name, complaint=reason), records.proposal_of(row)
    found, outcome = await room.ask(
        turn, lambda: room.members[name].repair(brief(room, round_, name), old, reason, turn), sound
    )
    with room.store.atomic():
        if found is None:
            room.store.insert("outcomes", outcome or {})
            return None
        made = room.store.insert("proposals", proposal_row(room, turn, found, replaces=row["id"]))
    room.say("member", f"{name} repairs: {found.title[:TITLE_LIMIT]}", round=round_, step=step, member=name)
    return made


async def debate_round(room: Room, round_: int) -> None:
    """Each member comments on the others' valid proposals; an author who was criticised may answer and revise once."""
    standing = records.standing(room.store, room.sid, round_)
    await asyncio.gather(*(_criticise(room, round_, name, standing) for name in sorted(room.members)))
    await asyncio.gather(*(_answer(room, round_, row) for row in standing.values()))


def slate_for(room: Room, round_: int, step: str, judge: str, standing: dict[int, Row]) -> tuple[Slate, Row]:
    """The slate of one member at a step, and its row (not yet recorded)."""
    drawn = draw(judge, {p: row["member"] for p, row in standing.items()}, room.seed_for(round_, step, judge))
    labels = {p: label for label, p in drawn.shown}
    entries = tuple(
        Entry(label, r["title"], r["hypothesis"], r["family"], r["diff"] or "", *said)
        for label, p in drawn.shown
        for r, said in ((standing[p], said_of(room, round_, p, standing, labels) if step == "rank" else ((), "")),)
    )
    row = {
        "session": room.sid,
        "round": round_,
        "step": step,
        "judge": judge,
        "at": now(),
        "shown": [[label, p] for label, p in drawn.shown],
        "recused": list(drawn.recused),
    }
    return Slate(judge, entries), row


async def _criticise(room: Room, round_: int, name: str, standing: dict[int, Row]) -> None:
    if room.store.one("slates", session=room.sid, round=round_, step="debate", judge=name):
        return
    slate, row = slate_for(room, round_, "debate", name, standing)
    if not slate.entries:
        return
    turn = room.turn(round_, "debate", name)
    found, outcome = await room.ask(
        turn, lambda: room.members[name].critique(brief(room, round_, name), slate, turn), _comments
    )
    behind = dict(row["shown"])
    comments = {c.label: c for c in found or () if c.label in behind and c.text.strip()}
    with room.store.atomic():  # the slate alone says that it was asked and had nothing to say
        if outcome:
            room.store.insert("outcomes", outcome)
        room.store.insert("slates", row)
        for label, comment in comments.items():
            at = {"session": room.sid, "round": round_, "member": name, "proposal": behind[label], "at": now()}
            room.store.insert("critiques", {**at, "text": comment.text[:COMMENT_LIMIT]})


def _comments(found: object) -> tuple[Critique, ...]:
    if not isinstance(found, tuple | list) or not all(isinstance(c, Critique) for c in found):
        raise BadReply(f"comments were expected, not {type(found).__name__}")
    if not all(isinstance(c.label, str) and isinstance(c.text, str) for c in found):
        raise BadReply("a comment must have a label and a text")
    return tuple(replace(c, text=plain(c.text)) for c in found)


def _response(found: object) -> Response:
    if not isinstance(found, Response) or not isinstance(found.text, str):
        raise BadReply(f"an answer was expected, not {type(found).__name__}")
    return Response(plain(found.text), None if found.revised is None else sound(found.revised))


async def _answer(room: Room, round_: int, row: Row) -> None:
    said = room.store.rows("critiques", session=room.sid, proposal=row["id"])
    turn = room.turn(round_, "debate", row["member"], attempt=2)
    key = {"session": room.sid, "round": round_, "step": "debate", "member": row["member"], "attempt": 2}
    if not said or room.store.one("responses", proposal=row["id"]) or room.store.one("outcomes", **key):
        return
    comments = tuple(Critique(str(number), c["text"]) for number, c in enumerate(said, 1))
    name, old = row["member"], records.proposal_of(row)
    found, outcome = await room.ask(
        turn, lambda: room.members[name].respond(brief(room, round_, name), old, comments, turn), _response
    )
    with room.store.atomic():
        if found is None:
            room.store.insert("outcomes", outcome or {})
            return
        revised = found.revised and room.store.insert("proposals", proposal_row(room, turn, found.revised, row["id"]))
        at = {"session": room.sid, "round": round_, "member": row["member"], "proposal": row["id"], "at": now()}
        room.store.insert("responses", {**at, "revised": revised or None, "text": found.text[:COMMENT_LIMIT]})
