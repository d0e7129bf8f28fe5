"""`council simulate`: what the mechanism does in a world whose truth is known, before anyone trusts it with a night."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from council.cli.common import as_json, show, show_json

if TYPE_CHECKING:
    from council.simulate_world import World

ALL = "all"


@click.command("simulate")
@click.option(
    "--world", "names", multiple=True, default=("default",), show_default=True, metavar="NAME",
    help="A world of docs/simulation.md, or all. May be given several times.",
)  # fmt: skip
@click.option("--nights", type=click.IntRange(min=2), default=200, show_default=True, help="Nights of each world.")
@click.option("--experiments", type=click.IntRange(1, 1000), help="Experiments of a night. [default: the world's]")
@click.option(
    "--rule", "rules", multiple=True, metavar="RULE",
    help="A way to pick, compared with the others named; also module:function. [default: forecast, borda, schulze, "
    "random]",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), help="Another seed plays other nights. [default: the benchmark's]")
@as_json
def command(
    names: tuple[str, ...],
    nights: int,
    experiments: int | None,
    rules: tuple[str, ...],
    seed: int | None,
    as_json: bool,
) -> None:
    """Play the mechanism through nights in a world whose truth is known.

    Says with 95 % intervals what the verdict gains over keeping whatever measures lower, how often a night ends on
    luck, how often a gain is claimed that is none, what the skill intervals cover, and what each way to pick gains. No
    lab and no money is needed. The worlds and their assumptions are in docs/simulation.md; none was fitted to models.

    \b
    Example:
      council simulate --world default --world null
    """
    from council import judge, simulate, simulate_table
    from council.simulate_picks import PICKS

    worlds = _worlds(names, nights, experiments)
    ways = tuple(dict.fromkeys(rules)) or PICKS
    for way in set(ways) - set(PICKS):
        judge.rule(way)  # one that cannot be loaded is told before anything is played
    seed = simulate.SEED if seed is None else seed
    found = simulate.reports([(w, nights) for w in worlds], seed, lambda name: _progress(f"playing {name}"))
    picked = []
    for world in worlds:
        _progress(f"comparing ways to pick in {world.name}")
        picked.append(simulate.picks(world, nights, seed, ways))
    if as_json:
        from dataclasses import asdict

        held = [asdict(one) for one in simulate.findings(found)]
        worlds_told = [asdict(one) for one in found]
        show_json({"seed": seed, "worlds": worlds_told, "picks": [asdict(p) for p in picked], "promises": held})
    else:
        show(simulate_table.text(found, picked).splitlines())


def _worlds(names: tuple[str, ...], nights: int, experiments: int | None) -> list[World]:
    """The worlds named, each once; a dash may stand for a space."""
    from dataclasses import replace

    from council import simulate
    from council.simulate_world import WORLDS

    known = {world.name: world for world in WORLDS}
    asked = list(known) if ALL in names else [name.replace("-", " ") for name in names]
    if unknown := [name for name in asked if name not in known]:
        from council.views.words import clean

        named = ", ".join((*known, ALL))
        raise click.BadParameter(
            f"there is no world {clean(unknown[0], 60)!r}; there are {named}", param_hint="--world"
        )
    found = [known[name] for name in dict.fromkeys(asked)]
    found = [replace(world, rounds=experiments or world.rounds) for world in found]
    if (size := nights * max(world.rounds for world in found)) > simulate.MOST:
        raise click.BadParameter(
            f"{nights} nights are {size} experiments; at most {simulate.MOST} fit into memory", param_hint="--nights"
        )
    return found


def _progress(text: str) -> None:
    click.echo(text, err=True)
