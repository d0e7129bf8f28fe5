"""Addresses and their pages: each as HTML and, with `.json`, as data; errors and an empty lab in words.

How to extend: a new page is a line in PAGES.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from council.errors import CouncilError, UsageError
from council.ui import svg
from council.ui.jsonlines import line
from council.views import compare, sessions, status, watch
from council.views.words import clean
from council.web import more_pages, pages
from council.web.guard import DRAWING, OURS
from council.web.pages import PARAMETERS, Ask, Page

if TYPE_CHECKING:
    from council.store import Store
    from council.web.reader import Reader

Maker = Callable[["Store", Ask, "Reader"], Page]

PAGES: dict[str, tuple[str, Maker]] = {
    "overview": (r"/(?:overview)?", pages.overview),
    "rounds": (r"/rounds", pages.rounds_page),
    "round": (r"/round/(?P<round>[0-9]{1,9}|last|best)", pages.round_page),
    "members": (r"/members", pages.members_page),
    "member": (r"/member", more_pages.member_page),
    "sessions": (r"/sessions", more_pages.sessions_page),
    "compare": (r"/compare", more_pages.compare_page),
    "search": (r"/search", more_pages.search_page),
    "call": (r"/call", more_pages.call_page),
}
"""Template and place in the navigation, with its address and what makes it."""

NAVIGATION = (
    ("overview", "/", "Overview"),
    ("rounds", "/rounds", "Rounds"),
    ("members", "/members", "Members"),
    ("sessions", "/sessions", "Sessions"),
    ("search", "/search", "Search"),
)
_UNDER = {"round": "rounds", "call": "rounds", "member": "members", "compare": "sessions"}


def _route(name: str, maker: Maker) -> Callable[..., Any]:
    async def view(request: Request, datasette: Datasette) -> Response:
        ask = _ask(request)
        as_json = request.url_vars.get("ext") == ".json"
        from council.web.plugin import attach

        attach(datasette)
        reader: Reader = datasette.council
        if not reader.ready:
            return await _empty(datasette, request, ask, as_json)
        try:
            page, frame = await reader.read(lambda store: (maker(store, ask, reader), _frame(store, ask, reader)))
        except UsageError as error:
            if await reader.read(_no_session):
                return await _empty(datasette, request, ask, as_json)
            return await _error(datasette, request, ask, as_json, 404, error)
        except CouncilError as error:
            if reader.blank:
                return await _empty(datasette, request, ask, as_json)
            return await _error(datasette, request, ask, as_json, 500, error)
        if as_json:
            return _json(page.json)
        context = {**frame, **page.context, "here": _UNDER.get(name, name), "json_url": _json_url(request)}
        return await _html(datasette, request, ask, f"{name}_page.html", context)

    return view


def _ask(request: Request) -> Ask:
    """The first value of each parameter that a page knows, and what stands in the path; the rest goes nowhere."""
    given = request.args  # parsed anew each time it is asked for
    args = {key: given.get(key) for key in PARAMETERS if key in given}
    found = {k: v for k, v in request.url_vars.items() if k != "ext" and v}
    return Ask({**args, **found}, request.path.removesuffix(".json"))


def _frame(store: Store, ask: Ask, reader: Reader) -> dict[str, Any]:
    """What every page shows around itself."""
    session = sessions.find(store, ask.session)
    now = reader.now() if session["name"] == status.newest(store) else None
    return {
        "session": session["name"],
        "names": compare.names(store),
        "seq": watch.changed(store),
        "live": now is not None,
        "now": pages.now_text(now),
    }


def _no_session(store: Store) -> bool:
    return store.one("sessions") is None


def _json_url(request: Request) -> str:
    path = "/overview" if request.path == "/" else request.path
    return f"{path}.json" + (f"?{request.query_string}" if request.query_string else "")


async def _html(
    datasette: Datasette, request: Request, ask: Ask, template: str, context: dict[str, Any], status: int = 200
) -> Response:
    shared = {"url": ask.url, "again": ask.again, "navigation": NAVIGATION, "ours": True}
    body = await datasette.render_template(template, {**shared, **context}, request=request)
    return Response.html(body, status=status, headers={"content-security-policy": OURS})


def _json(value: object, status: int = 200) -> Response:
    headers = {"content-security-policy": OURS}
    return Response(line(value), status, headers, content_type="application/json; charset=utf-8")


async def _empty(datasette: Datasette, request: Request, ask: Ask, as_json: bool) -> Response:
    """A lab in which nothing has run."""
    if as_json:
        return _json({"empty": True, "seq": 0, "running": False, "now": ""})
    return await _html(datasette, request, ask, "empty_page.html", {"here": "", "empty": True, "seq": 0})


async def _error(
    datasette: Datasette, request: Request, ask: Ask, as_json: bool, status: int, error: CouncilError
) -> Response:
    said = {"error": clean(error.message, 300), "hint": clean(error.hint, 300)}
    if as_json:
        return _json(said, status)
    return await _html(datasette, request, ask, "error_page.html", {**said, "here": "", "status": status}, status)


async def _chart(request: Request, datasette: Datasette) -> Response:
    ask, reader = _ask(request), datasette.council
    try:
        text = await reader.read(lambda store: more_pages.chart(store, ask, reader))
    except (CouncilError, FileNotFoundError):
        return Response.text("there is no such chart", status=404)
    headers = {"content-security-policy": DRAWING, "cache-control": "private, max-age=60"}
    return Response(text, 200, headers, content_type="image/svg+xml; charset=utf-8")


async def _colours(request: Request, datasette: Datasette) -> Response:
    await asyncio.sleep(0)
    return Response(svg.variables(), 200, {}, content_type="text/css; charset=utf-8")


ROUTES = (
    *((rf"^{path}(?P<ext>\.json)?$", _route(name, maker)) for name, (path, maker) in PAGES.items()),
    (r"^/live(?P<ext>\.json)$", _route("live", pages.live_page)),
    (r"^/chart/(?P<kind>curve|reliability|trend)\.svg$", _chart),
    (r"^/colours\.css$", _colours),
)
"""Addresses in the order in which they are tried."""
