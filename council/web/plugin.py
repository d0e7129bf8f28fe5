"""Our plugin of Datasette: the pages, the words as filters of the templates, the canned queries.

Datasette calls these functions by their names. How to extend: a page goes into ROUTES of `routes.py`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Response
from datasette.utils.sqlite import sqlite3

from council.ui import report
from council.views import sentences, words
from council.web import data, queries, refusals
from council.web.quiet import Quiet
from council.web.routes import ROUTES

THEIRS = re.compile(r"/council([/.]|$)")
"""Addresses that Datasette answers."""


@hookimpl
def startup(datasette: Datasette) -> None:
    """Before the first page."""
    datasette.council.warm()


@hookimpl
def register_routes(datasette: Datasette) -> list[tuple[str, Any]]:
    """Our pages; they come before Datasette's own."""
    return list(ROUTES)


@hookimpl
def prepare_jinja2_environment(env: Any, datasette: Datasette) -> None:
    """The words of the views as filters, the same as in the report."""
    names = (
        "bpb",
        "delta",
        "sigmas",
        "money",
        "probability",
        "number",
        "count",
        "plural",
        "duration",
        "symbol",
        "clean",
        "prose",
        "signed",
    )
    env.filters.update({name: getattr(words, name) for name in names})
    env.filters.update(when=report.when, difflines=report.diff_lines, facts=report.facts, lines=_lines)
    env.filters["fresh_pairs"] = sentences.fresh_pairs
    env.filters.update(whole=_whole, pretty=_pretty)
    env.globals["legend"] = words.LEGEND


def _lines(text: object, limit: int = words.LINES_LIMIT) -> str:
    """Foreign text of many lines, inert and bounded."""
    return "\n".join(words.clean_lines(text, limit, 2000))


def _whole(text: object) -> str:
    """Foreign text in full, inert."""
    return "\n".join(words.whole_lines(text))


def _pretty(value: object) -> str:
    """A JSON value in lines."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@hookimpl
def render_cell(column: str, value: object) -> Any:
    """A cell of a table or of an answer to SQL."""
    return data.cell(column, value)


@hookimpl
def prepare_connection(conn: Any, database: str, datasette: Datasette) -> None:
    """No statement makes a value that fills the memory."""
    conn.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, refusals.LONGEST)


@hookimpl
def canned_queries(datasette: Datasette, database: str, actor: Any) -> dict[str, Any]:
    """The usual questions of an audit."""
    return dict(queries.QUERIES) if database == "council" else {}


@hookimpl
def handle_exception(datasette: Datasette, request: Any, exception: BaseException) -> Any:
    """An error as a page in words; Datasette's own would print its local variables on the terminal."""

    async def answer() -> Response:
        status, said = refusals.told(exception, bool(THEIRS.match(request.path)))
        if request.path.endswith(".json"):
            return Response.json({"ok": False, "status": status, "error": said}, status=status)
        if request.path.endswith(".csv"):
            return Response.text(f"{said}\n", status=status)
        body = await datasette.render_template("error.html", {"status": status, "error": said}, request=request)
        return Response.html(body, status=status)

    return answer


@hookimpl
def permission_allowed(datasette: Datasette, actor: Any, action: str, resource: Any) -> bool | None:
    """What Datasette offers beyond reading is off."""
    return False if action in ("debug-menu", "permissions-debug", "view-database-download") else None


def attach(datasette: Datasette) -> None:
    """Add the database once a first session has made it."""
    reader = datasette.council
    if reader.ready and "council" not in datasette.databases:
        datasette.add_database(Quiet(datasette, path=str(reader.path), is_mutable=True), name="council")
