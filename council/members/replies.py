"""Reading what a model wrote: a proposal, a ballot, comments, an answer. Complete, or BadReply with the complaint.

What: one function per kind of answer. Why: models keep to a format most of the time; what they meant is taken wherever
it is beyond doubt, and nothing is guessed where it is not. How to extend: a new way of being right or wrong is a case
in `tests/llm/replies/`, then a line here. No input raises anything but BadReply or Refused.

Edits are read by `replies_edit.py`, ballots by `replies_ballot.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from council.errors import BadReply, Refused
from council.members.replies_ballot import ballot
from council.members.replies_edit import Found, find_edit, has_edit
from council.members.replies_text import as_json, number, refuses, tidy
from council.types import FAMILIES, TITLE_LIMIT, Critique, Proposal, Response

__all__ = ["ballot", "critiques", "proposal", "response"]

FIELDS = ("title", "family", "forecast", "hypothesis", "edit", "answer")
SYNONYMS = {
    "probability": "forecast",
    "confidence": "forecast",
    "category": "family",
    "rationale": "hypothesis",
    "reasoning": "hypothesis",
    "patch": "edit",
    "changes": "edit",
    "code": "edit",
}
_FIELD = re.compile(
    r"^[ \t>*#_-]*(?:\d[.)]\s*)?[*_`]*("
    + "|".join([*FIELDS, *SYNONYMS])
    + r")[ \t]*[*_`]*[ \t]*[:=][ \t]*[*_`]*[ \t]*(.*)$|^#{1,6}[ \t]+[*_]*("
    + "|".join([*FIELDS, *SYNONYMS])
    + r")[*_]*[ \t]*()$",
    re.IGNORECASE | re.MULTILINE,
)
_TAG = re.compile(r"<(title|family|forecast|hypothesis)>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
_ABSTAIN = re.compile(r"^[\s*_#`]*(?:abstain|i abstain|pass)\b", re.IGNORECASE)
_COMMENT = re.compile(
    r"^[ \t>#*_-]*(?:\d+[.)]\s*)?[*_`\[(]*(?:comments?(?: on| for)?(?: proposal)?|proposal|label|on)[ \t]+"
    r"[*_`\"'\[(]*([A-Z]{1,3})[*_`\"'\])]*(?=[\s:.,–—-])[ \t]*[*_`]*[:.–—-]*[*_`]*[ \t]*"
    r"|^[ \t>#*_-]*[*_`\[(]*([A-Z]{1,3})[*_`\])]*[ \t]*[:–—][*_`]*[ \t]*",
    re.MULTILINE | re.IGNORECASE,
)


def proposal(text: str, source: str, old: Proposal | None = None) -> Proposal | None:
    """The proposal in a reply, its edit fitted to the current file; None for an abstention.

    `old` lends what a repaired version does not repeat.
    """
    text = tidy(text)
    if _ABSTAIN.match(text) and not has_edit(text):
        return None
    data = as_json(text)
    found = find_edit(_edit_of(data) if data else text, source)
    if found is None and data:
        found = find_edit(text, source)
    if found is None:
        _refuse(text)
        raise BadReply(
            "there is no edit in it: give SEARCH/REPLACE blocks, or the whole new lab/train.py in one fenced block"
        )
    return _proposal({**_fields(found.prose if not data else ""), **_texts(data)}, found, old)


def response(text: str, source: str, old: Proposal) -> Response | None:
    """An author's answer to its critics, with a revised proposal if there is an edit in it."""
    text = tidy(text)
    if not text.strip():
        raise BadReply("the reply is empty")
    data = as_json(text)
    if not has_edit(text) and not (data and _edit_of(data)):
        if len(text) < 400:
            _refuse(text)
        said = str((data or {}).get("answer") or _fields(text).get("answer") or text)
        return Response(said.strip())
    revised = proposal(text, source, old)
    found = None if data else find_edit(text, source)
    fields = _texts(data) if data else _fields(found.prose if found else text)
    return Response(fields.get("answer", "").strip() or "I revised it.", revised)


def critiques(text: str, labels: Sequence[str]) -> tuple[Critique, ...]:
    """The comments in a reply, at most one per label; those on labels that are not on the slate are left out."""
    text = tidy(text)
    if not text.strip():
        raise BadReply("the reply is empty")
    if re.match(r"[\s*_`#]*(?:comments?:?\s*)?none\b", text, re.IGNORECASE):
        return ()
    known = {label.upper(): label for label in labels}
    pairs = _json_comments(text) or _line_comments(text, known)
    found: dict[str, str] = {}
    for label, said in pairs:
        if label.upper() in known and said.strip():
            name = known[label.upper()]
            found[name] = f"{found[name]}\n{said.strip()}" if name in found else said.strip()
    if not found:
        _refuse(text)
        raise BadReply(f"no comment names one of {', '.join(labels)}: write COMMENT and the label, or NONE")
    return tuple(Critique(label, said) for label, said in found.items())


def _line_comments(text: str, known: dict[str, str]) -> list[tuple[str, str]]:
    heads = [match for match in _COMMENT.finditer(text) if (match[1] or match[2]).upper() in known]
    ends = [*(match.start() for match in heads[1:]), len(text)]
    return [(m[1] or m[2], text[m.end() : end]) for m, end in zip(heads, ends, strict=False)]


def _json_comments(text: str) -> list[tuple[str, str]]:
    data = as_json(text)
    if data is None:
        return []
    inner = data.get("comments", data.get("critiques", data.get("items", data)))
    if isinstance(inner, dict):
        return [(str(label), said) for label, said in inner.items() if isinstance(said, str)]
    if not isinstance(inner, list):
        return []
    return [
        (str(item.get("label", item.get("proposal", ""))), str(item.get("text", item.get("comment", ""))))
        for item in inner
        if isinstance(item, dict)
    ]


def _proposal(fields: dict[str, str], found: Found, old: Proposal | None) -> Proposal:
    hypothesis = fields.get("hypothesis", "").strip() or (old.hypothesis if old else "")
    title = " ".join(fields.get("title", "").split()).strip("*_`\"' ") or (old.title if old else "")
    if not title:
        raise BadReply("there is no TITLE line")
    said = fields.get("forecast", "")
    forecast = number(said) if said else (old.forecast if old else None)
    if forecast is None:
        given = f", {said[:60]!r} is none" if said else ""
        raise BadReply(f"there is no FORECAST line with a probability from 0 to 1{given}")
    family = fields.get("family", "") or (old.family if old else "other")
    return Proposal(title[:TITLE_LIMIT], hypothesis or title, _family(family), found.edit, forecast)


def _family(said: str) -> str:
    """The family that was named first; what is not one is `other`."""
    british = said.lower().replace("initializ", "initialis").replace("regulariz", "regularis")
    flat = " ".join(re.sub(r"[^a-z ]", " ", british).split())
    if flat in FAMILIES:
        return flat
    named = [(flat.find(family), family) for family in FAMILIES if family != "other" and family in flat]
    return min(named)[1] if named else "other"


def _fields(prose: str) -> dict[str, str]:
    """The labelled fields outside the edit; a field runs to the next one. The last of a name counts."""
    found = {name.lower(): value.strip() for name, value in _TAG.findall(prose)}
    heads = list(_FIELD.finditer(prose))
    for match, end in zip(heads, [*(m.start() for m in heads[1:]), len(prose)], strict=False):
        name = (match[1] or match[3]).lower()
        name = SYNONYMS.get(name, name)
        first = (match[2] or "").strip()
        body = prose[match.end() : end].strip()
        if name in ("hypothesis", "answer"):
            value = "\n".join(part for part in (first, body) if part)
        else:
            value = first or next((line.strip() for line in body.splitlines() if line.strip()), "")
        if value := value.strip().removesuffix("**").strip("` \n"):
            found[name] = value
    return found


def _texts(data: dict[str, Any] | None) -> dict[str, str]:
    """The same fields of a JSON object."""
    found = {}
    for key, value in (data or {}).items():
        name = SYNONYMS.get(str(key).lower(), str(key).lower())
        if name in FIELDS and name != "edit" and isinstance(value, str | int | float) and not isinstance(value, bool):
            found[name] = str(value)
    return found


def _edit_of(data: dict[str, Any]) -> str:
    """The edit of a JSON object as text that reads like any other reply."""
    for key in ("edit", "edits", "blocks", "diff", "patch", "code", "whole", "file", "changes", "train_py"):
        value = data.get(key)
        if isinstance(value, dict):
            value = value.get("blocks", [value])
        if isinstance(value, list):
            parts = [b for b in value if isinstance(b, dict) and isinstance(b.get("search"), str)]
            value = "\n".join(
                f"{b.get('path') or b.get('file') or ''}\n<<<<<<< SEARCH\n{b['search']}\n=======\n"
                f"{b.get('replace') or ''}\n>>>>>>> REPLACE"
                for b in parts
            )
        if isinstance(value, str) and value.strip():
            return value if has_edit(value) else f"```python\n{value}\n```"
    return ""


def _refuse(text: str) -> None:
    if not text.strip():
        raise BadReply("the reply is empty")
    if refuses(text):
        raise Refused(f"the member declined: {' '.join(text.split())[:200]}")
