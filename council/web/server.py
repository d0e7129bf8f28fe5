"""The server of the pages: Datasette with our plugin, templates and limits, run by uvicorn on one address.

How to extend: a setting of Datasette goes into SETTINGS; rules about requests belong into `guard.py`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from council.errors import UsageError
from council.web.guard import LOCAL, App, Guard

if TYPE_CHECKING:
    from uvicorn import Server

HERE = Path(__file__).parent
SETTINGS = {
    "suggest_facets": False,
    "allow_csv_stream": False,
    "allow_download": False,
    "default_cache_ttl": 0,
    "default_page_size": 100,
    "max_returned_rows": 2000,
    "num_sql_threads": 4,
    "truncate_cells_html": 400,
    "max_csv_mb": 64,
}


def application(home: Path, host: str = "127.0.0.1") -> App:
    """The ASGI application over `.council` at `home`."""
    os.environ.setdefault("DATASETTE_LOAD_PLUGINS", "")  # no plugin but ours
    from datasette.app import Datasette
    from datasette.plugins import pm

    from council.web import data, plugin, refusals
    from council.web.reader import Reader

    if not pm.is_registered(plugin):
        pm.register(plugin, "council")
        pm.unregister(name="datasette.handle_exception")
    made = Datasette(
        [],
        settings={**SETTINGS, "sql_time_limit_ms": refusals.SECONDS * 1000},
        template_dir=str(HERE / "templates"),
        static_mounts=[("assets", str(HERE / "static"))],
        metadata=data.metadata(),
    )
    made.remove_database("_memory")
    made.council = Reader(home)
    plugin.attach(made)
    hosts = {*LOCAL, host, *([socket.gethostname()] if host not in LOCAL else [])}
    return Guard(made.app(), hosts, any_address=host not in LOCAL)


def listen(host: str, port: int) -> socket.socket:
    """A socket on the address. Raises UsageError that says what stands in the way."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(64)
    except OSError as error:
        found.close()
        hint = "Take another port: council serve --port 0 finds a free one." if port else "Take another --host."
        raise UsageError(f"nothing can listen on {host} port {port}: {error.strerror}", hint=hint) from error
    return found


def server(home: Path, host: str = "127.0.0.1") -> Server:
    """The server of the pages over `.council` at `home`: plain HTTP, no upgrade to anything else, no access log."""
    import uvicorn

    config = uvicorn.Config(
        application(home, host),
        log_level="error",
        lifespan="on",
        ws="none",
        access_log=False,
        server_header=False,
        date_header=False,
        use_colors=False,
    )
    return uvicorn.Server(config)


def serve(home: Path, host: str, port: int, told: Callable[[str], Any]) -> None:
    """Serve until interrupted; `told` gets the address once it is open."""
    from council.web.quiet import Inert

    opened = listen(host, port)
    with contextlib.redirect_stderr(Inert(sys.stderr)):
        made = server(home, host)
        name = f"[{host}]" if ":" in host else host
        told(f"http://{name}:{opened.getsockname()[1]}/")
        made.run(sockets=[opened])
