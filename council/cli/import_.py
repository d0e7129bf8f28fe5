"""`council import`: the log of autoresearch as a read-only session, and which of its gains exceed the noise."""

from __future__ import annotations

import math
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from council.cli.common import as_json, database, root, show, show_json

if TYPE_CHECKING:
    from council.importing import Gain, Noise

SHOWN = 20
UNKNOWN = "unknown"


def _noise(ctx: click.Context, param: click.Parameter, value: str | None) -> float | str | None:
    """A number above 0, or `unknown`."""
    if value is None or value == UNKNOWN:
        return value
    try:
        if 0 < (found := float(value)) < math.inf:
            return found
    except ValueError:
        pass
    raise click.BadParameter(f"{value!r} is neither a number above 0 nor {UNKNOWN}")


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--session", metavar="NAME", help="Its name here. [default: import- and the name of the file]")
@click.option("--noise", callback=_noise, metavar="BPB|unknown", help="σ of one run, if you know.")
@as_json
@click.pass_context
def command(ctx: click.Context, file: str, session: str | None, noise: float | str | None, as_json: bool) -> None:
    """Make a results.tsv of autoresearch a read-only session.

    Columns: commit, val_bpb, memory_gb, status (keep, discard, crash), description. Malformed lines are reported by
    number and left out. It says at once which kept gains exceed the noise; commits that stand in the log twice say
    what noise is, else the scatter of discarded edits bounds it, else --noise is needed: without it nothing is
    recorded, and `--noise unknown` records the log alone.

    \b
    Example:
      council import results.tsv --noise 0.001
    """
    from council import importing
    from council.errors import UsageError
    from council.lock import hold
    from council.repo import Repo, valid_session_name
    from council.store import Store

    path = Path(file)
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    name = session or "import-" + re.sub(r"[^A-Za-z0-9._-]", "-", path.stem)[:50]
    if not valid_session_name(name):
        raise UsageError(f"{name!r} is no name", hint="Use letters, digits, dot, dash and underscore, at most 64.")
    lines, faults = importing.parse(text)
    _tell(faults)
    said = importing.noise(lines, noise if isinstance(noise, float) else None)
    again = f"council import {shlex.quote(file)}{f' --session {name}' if session else ''} --noise"
    hint = f"Say σ of one run in BPB, for example: {again} 0.001\nOr import without: {again} {UNKNOWN}"
    importing.check(file, lines, said, hint, needed=noise is None)
    top = root(ctx)
    home = Repo.open(top).home()
    with hold(home / "lock"):
        store = Store(database(top))
        try:
            importing.session_of(store, name, path.name, text, lines, said)
        finally:
            store.close()
    gains = importing.gains(lines, said.sigma)
    if as_json:
        from dataclasses import asdict

        show_json({"session": name, "noise": asdict(said), "gains": [asdict(g) for g in gains], "malformed": faults})
        return
    show(_told(name, len(lines), len(faults), said, gains))


def _told(name: str, lines: int, faults: int, said: Noise, gains: list[Gain]) -> list[str]:
    from council.ui.text import table, wrap
    from council.views.words import NONE, bpb, clean, delta, number, plural

    words = {"exceeds": "exceeds the noise", "once": "only as a single try", "within": "within the noise"}
    rows = [
        (g.line.commit[:10], bpb(g.line.bpb), delta(g.gain), number(g.errors, 1), words.get(g.word, NONE),
         clean(g.line.description, 40))
        for g in gains[:SHOWN]
    ]  # fmt: skip
    sources = {
        "given": "as you said",
        "repeats": f"from {said.runs} runs of equal commits",
        "scatter": f"at most, if none of the {said.runs} discarded edits did anything",
    }
    noise = (
        "What the noise is nobody knows, so no gain can be told from it."
        if said.sigma is None
        else f"Noise of one run: {bpb(said.sigma)} BPB ({sources[said.source]})."
    )
    good = sum(g.word == "exceeds" for g in gains)
    left = f", {plural(faults, 'line')} left out" if faults else ""
    verdict = f"{good} of {plural(len(gains), 'kept gain')} exceed the noise, chosen from so many tries."
    if said.bound:
        verdict += " Since the noise is a bound, the others may be real too: measure equal code twice to know."
    head = ("commit", "BPB", "gain", "errors", "verdict", "description")
    return [
        *wrap(f"Session {name}: {plural(lines, 'line')}{left}. {noise}"),
        "",
        *table(head, rows, right=(1, 2, 3), flex=5),
        *([f"and {len(gains) - SHOWN} more"] if len(gains) > SHOWN else []),
        "",
        *wrap(f"{verdict if said.sigma else ''} Look at it: council status --session {name}; council serve.".strip()),
    ]


def _tell(faults: list[tuple[int, str]]) -> None:
    """The lines that cannot be read, by number."""
    from council.views.words import clean

    for number, fault in faults[:SHOWN]:
        click.echo(clean(f"line {number}: {fault}", 400), err=True)
    if len(faults) > SHOWN:
        click.echo(f"and {len(faults) - SHOWN} more lines that cannot be read; the last is {faults[-1][0]}", err=True)
