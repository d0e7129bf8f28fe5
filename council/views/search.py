"""Full text over what members wrote: replies, proposals, critiques, answers, and the reasons of verdicts and checks.

Replies have an index (FTS5); the rest is small and is read through. A query is words that must all occur, or "a phrase
in quotes". Places of every kind come together, the newest first. How to extend: a new place is a line in PLACES.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from council.errors import UsageError
from council.views import sessions
from council.views.words import clean

if TYPE_CHECKING:
    from council.store import Store

AROUND = 90
"""Characters of a snippet on either side of the first word found."""

Segment = tuple[str, bool]
"""Inert text, and whether it is what was looked for."""


@dataclass(frozen=True)
class Hit:
    """One place: `source` is what kind of text it is, `where` a step, title or experiment; a reply has its call."""

    source: str
    session: str
    round: int
    member: str
    where: str
    call: int | None
    snippet: tuple[Segment, ...]

    def as_json(self) -> dict[str, object]:
        """The hit with its snippet as text in which what was found stands between « and »."""
        marked = "".join(f"«{text}»" if hit else text for text, hit in self.snippet)
        return {**asdict(self), "snippet": marked}


@dataclass(frozen=True)
class Found:
    """The newest places, and how many there are in all."""

    hits: tuple[Hit, ...]
    total: int


@dataclass(frozen=True)
class Place:
    """Texts that carry their session and round: the query yields when and where, member, place and text."""

    source: str
    sql: str


_FROM = (
    "SELECT x.session AS sid, x.[round], x.at, s.name AS session, {} AS member, {} AS place, {} AS text, NULL AS call "
    "FROM {} x "
)
_JOIN = "JOIN sessions s ON s.id = x.session "
PLACES = (
    Place("proposal", _FROM.format("x.member", "x.title", "x.title || ' — ' || x.hypothesis", "proposals") + _JOIN),
    Place("critique", _FROM.format("x.member", "'critique'", "x.text", "critiques") + _JOIN),
    Place("answer", _FROM.format("x.member", "'answer'", "x.text", "responses") + _JOIN),
    Place("verdict", _FROM.format("''", "'x' || x.number || ' ' || x.kind", "x.reason", "verdicts") + _JOIN),
    Place(
        "check",
        _FROM.format("p.member", "p.title", "x.reason", "checks") + "JOIN proposals p ON p.id = x.proposal " + _JOIN,
    ),
    Place("outcome", _FROM.format("x.member", "x.step || ': ' || x.kind", "x.detail", "outcomes") + _JOIN),
)
_REPLIES = (
    # the texts are read only once it is known which ones are shown
    "SELECT f.*, r.text FROM (SELECT r.id, c.session AS sid, c.[round], r.at AS at, s.name AS session, c.member, "
    "c.step AS place, c.id AS call, count(*) OVER () AS total "
    "FROM replies_fts JOIN replies r ON r.id = replies_fts.rowid JOIN calls c ON c.id = r.call "
    "JOIN sessions s ON s.id = c.session WHERE replies_fts MATCH ? AND (? IS NULL OR s.name = ?) "
    "ORDER BY sid DESC, c.[round] DESC, r.at DESC LIMIT ?) f JOIN replies r ON r.id = f.id"
)


def words_of(text: str) -> list[str]:
    """The words and quoted phrases of a query. Raises UsageError when there is none."""
    found = [phrase or word for phrase, word in re.findall(r'"([^"]+)"|([^\s"]+)', text)]
    found = [word for word in found if re.search(r"\w", word)]
    if not found:
        raise UsageError("there is no word to look for", hint='For example: council search warmup "learning rate"')
    return found


def read(store: Store, text: str, name: str | None = None, limit: int = 50) -> Found:
    """The newest places where every word occurs, in the named session or in all."""
    words = words_of(text)
    if name is not None:
        sessions.find(store, name)
    has = " AND ".join("instr(lower(text), lower(?)) > 0" for _ in words)  # also behind a NUL
    rows: list[tuple[str, sessions.Row]] = []
    for place in PLACES:
        found = f"SELECT *, count(*) OVER () AS total FROM ({place.sql}) WHERE {has} AND (? IS NULL OR session = ?)"
        sql = f"{found} ORDER BY sid DESC, [round] DESC, at DESC LIMIT ?"
        rows += [(place.source, row) for row in store.query(sql, *words, name, name, limit)]
    quoted = " ".join('"' + word.replace('"', " ") + '"' for word in words)
    rows += [("reply", row) for row in store.query(_REPLIES, quoted, name, name, limit)]
    rows.sort(key=lambda row: (row[1]["sid"], row[1]["round"], row[1]["at"]), reverse=True)
    total = sum({source: row["total"] for source, row in rows}.values())
    return Found(tuple(_hit(source, row, words) for source, row in rows[:limit]), total)


def _hit(source: str, row: sessions.Row, words: list[str]) -> Hit:
    return Hit(
        source=source,
        session=clean(row["session"], 80),
        round=row["round"],
        member=clean(row["member"], 60),
        where=clean(row["place"], 100),
        call=row["call"],
        snippet=snippet(row["text"], words),
    )


def snippet(text: str, words: list[str]) -> tuple[Segment, ...]:
    """The text around the first word found, the words marked, everything inert."""
    pattern = re.compile("|".join(re.escape(word) for word in words), re.IGNORECASE)
    first = pattern.search(text)
    start = max(0, first.start() - AROUND) if first else 0
    end = min(len(text), (first.end() if first else 0) + AROUND)
    part = text[start:end]
    found: list[Segment] = [("…", False)] if start else []
    at = 0
    for match in pattern.finditer(part):
        found += [(_inert(part[at : match.start()]), False), (_inert(match[0]), True)]
        at = match.end()
    found.append((_inert(part[at:]), False))
    return tuple((said, hit) for said, hit in [*found, *([("…", False)] if end < len(text) else [])] if said)


def _inert(text: str) -> str:
    """`clean` that keeps the spaces at both ends, so that segments join as they were."""
    said = clean(text, 4 * AROUND)
    before = " " if text[:1].isspace() and said else ""
    after = " " if text[-1:].isspace() and said else ""
    return f"{before}{said}{after}" if said else (" " if text else "")
