"""`council audit`: recompute everything that can be recomputed."""

from __future__ import annotations

from dataclasses import asdict

import click

from council.cli.common import as_json, reading, root, show, show_json


@click.command("audit")
@as_json
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Recompute everything and list what does not add up.

    The chain of the ledger, foreign keys, commits, tallies from ballots, verdicts and books from measurements, what
    calls cost from their tokens. Exit code 1 if anything does not add up. docs/audit.md says what it cannot find.

    \b
    Example:
      council audit && echo the night is real
    """
    from council.audit import audit
    from council.repo import Repo
    from council.views.words import clean, count, plural

    with reading(ctx) as store:
        report = audit(store, Repo.open(root(ctx)))
    if as_json:
        show_json(asdict(report))
    else:
        sums = f"{plural(report.sessions, 'session')}, {plural(report.rounds, 'round')}, {count(report.calls)} calls"
        if report.imported:
            sums += f", {count(report.imported)} of them imported and not measured here"
        found = [f"{clean(p.kind, 40)}: {clean(p.where, 120)}: {clean(p.what, 400)}" for p in report.problems]
        verdict = "everything adds up" if report.ok else plural(len(found), "problem")
        show([*found, f"{sums}: {verdict}", f"head of the ledger: {clean(report.head, 100)}"])
    ctx.exit(0 if report.ok else 1)
