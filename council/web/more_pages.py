"""The other pages: one member, all sessions, two sessions, search, one call; and the charts that pages show as images.

As `pages.py`; apart only to keep files short.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from council.errors import UsageError
from council.ui import charts, svg
from council.views import calls, compare, member, search, sessions
from council.web.pages import Ask, Page

if TYPE_CHECKING:
    from council.store import Store
    from council.web.reader import Reader


def member_page(store: Store, ask: Ask, reader: Reader) -> Page:
    """One member: standing, reliability, trend, proposals."""
    found = member.read(store, ask.args.get("name", ""), ask.session, reader.once)
    return Page({"member": found, "m": found.standing}, found.as_json())


def sessions_page(store: Store, ask: Ask, reader: Reader) -> Page:
    """All sessions, newest first, with a form that compares two."""
    found = compare.every(store)
    return Page({"lines": found}, [asdict(line) for line in found])


def compare_page(store: Store, ask: Ask, reader: Reader) -> Page:
    """Two sessions side by side."""
    sessions.find(store)  # says so where there is none
    names = compare.names(store)
    one = ask.args.get("a") or names[0]
    other = ask.args.get("b") or names[min(1, len(names) - 1)]
    found = compare.read(store, one, other, reader.once)
    return Page({"pair": found, "names": names, "sides": (found.one, found.other)}, found.as_json())


def search_page(store: Store, ask: Ask, reader: Reader) -> Page:
    """Full text over what members wrote."""
    text = ask.args.get("q", "").strip()[:200]
    everywhere = ask.args.get("all") == "1"
    try:
        name = None if everywhere else sessions.find(store, ask.session)["name"]
        found = search.read(store, text, name, 100) if text else search.Found((), 0)
        wrong = ""
    except UsageError as error:
        found, wrong = search.Found((), 0), error.message
    context = {"q": text, "hits": found.hits, "total": found.total, "everywhere": everywhere, "wrong": wrong}
    return Page(context, [hit.as_json() for hit in found.hits])


def call_page(store: Store, ask: Ask, reader: Reader) -> Page:
    """One call verbatim."""
    found = calls.one(store, ask.number("id"))
    if found is None:
        raise UsageError(f"there is no call {ask.number('id')}")
    session = next(
        store.query("SELECT s.name FROM calls c JOIN sessions s ON s.id = c.session WHERE c.id = ?", found.id)
    )
    around = [call.id for call in calls.read(store, found.round, session["name"])]
    at = around.index(found.id)
    context = {
        "call": found,
        "of": session["name"],
        "before": around[at - 1] if at else None,
        "after": around[at + 1] if at + 1 < len(around) else None,
    }
    return Page(context, found.as_json())


def chart(store: Store, ask: Ask, reader: Reader) -> str:
    """A chart as an SVG file of its own: the losses of an experiment, a member's reliability or trend."""
    kind = ask.args.get("kind", "")
    session = sessions.find(store, ask.session)
    if kind == "curve":
        number = ask.number("number")
        log = store.one("logs", session=session["id"], number=number)
        if log is None:
            raise UsageError(f"experiment {number} has no log")
        return reader.once(("curve", session["id"], number), lambda: svg.alone(charts.curve(log["curve"])))
    found = member.read(store, ask.args.get("name", ""), session["name"], reader.once)
    if kind == "reliability":
        bins = ("reliability", session["id"], found.standing.name, found.reliability)
        return reader.once(bins, lambda: svg.alone(charts.reliability(found.reliability)))
    if kind == "trend":
        points = ("trend", session["id"], found.standing.name, found.trend)
        return reader.once(points, lambda: svg.alone(charts.trend(found.trend, "Brier score")))
    raise UsageError("there is no such chart")
