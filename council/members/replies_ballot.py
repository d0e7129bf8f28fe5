"""Reading a ballot: every label of the slate once with a probability, in whatever form it was written.

What: `ballot` reads lines, tables, JSON or a ranking with forecasts apart. Why: strict about what is said, since a
ballot settles forecasts, and tolerant about how. How to extend: another form is another reader that returns (label,
probability) pairs from best to worst. Raises nothing but BadReply or Refused, and says which label is missing or twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from council.errors import BadReply, Refused
from council.members.replies_text import as_json, number, refuses, tidy
from council.types import Ballot

Pairs = list[tuple[str, float | None]]

_LINE = re.compile(
    r"^[\s>|*_#-]*(?:(?:rank\s*)?#?(?P<place>\d{1,3})\s*(?:[.):|]|st\b|nd\b|rd\b|th\b|\s)[\s|*_-]*)?"
    r"(?:(?:proposal|label|option|candidate)\s+)?[*_`\"'\[(<]*(?P<label>[A-Za-z]{1,3})[*_`\"'\])>]*(?P<gap>(?:[\s|:=,;–—>*_`]|-(?!\d))+)"
    r"(?:\(?\s*(?:forecast|probability|prob|p|f|confidence|chance)\s*[:=]?\s*)?"
    r"(?P<said>[*_`(]*(?:(?:[~≈∼<>≤≥]|about\b|around\b|approx\.?|roughly\b|ca\.)\s*)?"
    r"(?:\d{1,3}\s*/\s*\d{1,3}|(?:[-−]?\d{1,3}(?:[.,]\d+)?|[.,]\d+)\s*%?))(?P<rest>.*)$",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r"[-–][.\d]|/\s*[.\d]|(?:to|or)\s+[.\d]")
"""After a number: it is one end of a range, or part of something else."""
_RANKING = re.compile(
    r"^[\s>*_#-]*(?:final\s+)?(?:ranking|order|rank)[*_]*\s*(?:\([^)]*\))?\s*[:=][*_]*\s*(.+)$",
    re.IGNORECASE | re.MULTILINE,
)
_HEADING = re.compile(r"^[\s>*_#`-]*(?:final\s+)?ballot[\s:*_`#-]*$", re.IGNORECASE | re.MULTILINE)


def ballot(text: str, labels: Sequence[str]) -> Ballot:
    """The ballot in a reply over a slate with these labels. Whether forecasts rise is for the vote to say."""
    text = tidy(text)
    if not text.strip():
        raise BadReply("the reply is empty")
    known = {label.upper(): label for label in labels}
    pairs = _from_json(text)
    if not pairs:
        headings = list(_HEADING.finditer(text))
        body = text[headings[-1].end() :] if headings else text
        pairs = _from_lines(body, known, strict=bool(headings))
        if ordered := _order(body, known):
            stated = dict(pairs)
            pairs = [(label, stated.get(label)) for label in ordered] + [p for p in pairs if p[0] not in ordered]
    if not pairs and refuses(text):
        raise Refused(f"the member declined: {' '.join(text.split())[:200]}")
    return _complete(pairs, known)


def _complete(pairs: Pairs, known: dict[str, str]) -> Ballot:
    names = [label.upper() for label, _ in pairs]
    every = ", ".join(known.values())
    if not names:
        raise BadReply(f"there is no ballot in it: rank {every}, one line each, with a probability from 0 to 1")
    if unknown := [name for name in names if name not in known]:
        raise BadReply(f"{unknown[0][:20]!r} is not on the slate, which has {every}")
    if twice := [name for name in names if names.count(name) > 1]:
        raise BadReply(f"{known[twice[0]]} stands in the ballot twice")
    if missing := [label for name, label in known.items() if name not in names]:
        raise BadReply(f"the ballot leaves out {', '.join(missing)}; it must name each of {every} exactly once")
    if bare := [known[label.upper()] for label, p in pairs if p is None]:
        raise BadReply(f"there is no probability from 0 to 1 for {', '.join(bare)}")
    return Ballot(
        tuple(known[name] for name in names), {known[label.upper()]: float(p) for label, p in pairs if p is not None}
    )


def _from_lines(text: str, known: dict[str, str], strict: bool) -> Pairs:
    """Lines of place, label, probability. A label that is not on the slate counts only where a ballot must stand."""
    rows: list[tuple[int | None, str, float | None]] = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None or (
            match["place"] is None and not re.search(r"[|:=–—>-]", match["gap"]) and match["label"].islower()
        ):
            continue
        label = match["label"].upper()
        if label not in known and not (strict and match["place"] and len(label) == 1):
            continue
        place = int(match["place"]) if match["place"] else None
        rows.append((place, label, None if _GOES_ON.match(match["rest"]) else _probability(match["said"])))
    rows = _without_repeats(rows)
    if all(place is not None for place, _, _ in rows) and len({place for place, _, _ in rows}) == len(rows):
        rows.sort(key=lambda row: row[0] or 0)
    return _scaled([(label, p) for _, label, p in rows])


def _without_repeats(rows: list[tuple[int | None, str, float | None]]) -> list[tuple[int | None, str, float | None]]:
    """The rows without those that say again exactly what one before them said."""
    kept: list[tuple[int | None, str, float | None]] = []
    for row in rows:
        if not any(row[1:] == other[1:] for other in kept):
            kept.append(row)
    return kept


def _probability(said: str) -> float | None:
    """A number as written; whole numbers of percent are kept above 1 until all are seen."""
    bare = re.sub(r"^(?:[~≈∼<>≤≥]|[a-z]+\.?)\s*", "", said.strip("*_`( "), flags=re.IGNORECASE)
    if "%" in bare or "." in bare or "," in bare or "/" in bare:
        return number(bare)
    try:
        value = float(bare.replace("−", "-"))
    except ValueError:
        return None
    return value if 0 <= value <= 100 else None


def _scaled(pairs: Pairs) -> Pairs:
    """Percentages without a sign: if any number is above 1 and none has a fraction below it, all are percentages."""
    values = [p for _, p in pairs if p is not None]
    if not any(p > 1 for p in values):
        return pairs
    if all(p == int(p) for p in values):
        return [(label, None if p is None else p / 100) for label, p in pairs]
    return [(label, None if p is None or p > 1 else p) for label, p in pairs]


def _order(text: str, known: dict[str, str]) -> list[str]:
    """The labels of a line `Ranking: B > A > C`, if it names labels and nothing else."""
    for match in reversed(list(_RANKING.finditer(text))):
        parts = [
            part.strip(" *_`\"'[]().") for part in re.split(r"\s*(?:>|,|;|→|≻|\bthen\b)\s*", match[1]) if part.strip()
        ]
        names = [re.sub(r"^(?:proposal|label)\s+", "", part, flags=re.IGNORECASE).upper() for part in parts]
        if names and all(re.fullmatch(r"[A-Z]{1,3}", name) for name in names) and set(names) & set(known):
            return names
    return []


def _from_json(text: str) -> Pairs:
    """`{"ranking": […], "forecasts": {…}}`, a list of {label, forecast}, or {label: probability}."""
    data = as_json(text)
    if data is None:
        return []
    data = {str(key).lower(): value for key, value in data.items()}
    inner = data.get("ballot", data)
    if isinstance(inner, dict):
        data = {str(key).lower(): value for key, value in inner.items()}
    items = inner if isinstance(inner, list) else data.get("items", data.get("ranking", data.get("order")))
    stated = data.get("forecasts", data.get("probabilities", data.get("forecast", {})))
    forecasts = _stated(stated)
    if isinstance(items, str):
        items = [part for part in re.split(r"\s*[>,;]\s*", items) if part]
    if isinstance(items, list):
        return [_item(item, forecasts) for item in items]
    return sorted(forecasts.items(), key=lambda pair: -(pair[1] or 0.0)) if forecasts else []


def _stated(stated: Any) -> dict[str, float | None]:
    if isinstance(stated, dict):
        return {str(label).strip().upper(): number(p) for label, p in stated.items()}
    if isinstance(stated, list):
        return dict(_item(item, {}) for item in stated if isinstance(item, dict))
    return {}


def _item(item: Any, forecasts: dict[str, float | None]) -> tuple[str, float | None]:
    if not isinstance(item, dict):
        label = str(item).strip().upper()
        return label, forecasts.get(label)
    lowered = {str(key).lower(): value for key, value in item.items()}
    label = str(lowered.get("label", lowered.get("proposal", lowered.get("id", "")))).strip().upper()
    said = next((lowered[k] for k in ("forecast", "probability", "p", "confidence") if k in lowered), None)
    return label, number(said) if said is not None else forecasts.get(label)
