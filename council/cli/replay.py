"""`council replay`: a session's rounds counted anew under another rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from council.cli.common import as_json, reading, session_option, show, show_json

if TYPE_CHECKING:
    from council.judge.meters import Meter
    from council.replay import Replay

SHOWN = 12


@click.command("replay")
@click.option("--rule", required=True, metavar="RULE", help="forecast, borda, schulze, or module:function.")
@session_option
@as_json
@click.pass_context
def command(ctx: click.Context, rule: str, session: str | None, as_json: bool) -> None:
    """Count the past under another rule.

    Every round is counted from the ballots that were cast, after the rounds that really happened. It says how often
    the rules agree and how that was measured. What another pick would have measured is known only where it ran.

    \b
    Example:
      council replay --rule schulze
    """
    from council import replay
    from council.views import sessions

    with reading(ctx) as store:
        found = replay.replay(store, sessions.find(store, session), rule)
    if as_json:
        from dataclasses import asdict

        show_json(asdict(found))
    else:
        show(_lines(found))


def _lines(found: Replay) -> list[str]:
    from council.ui.text import wrap
    from council.views.words import clean, plural

    if found.agreement is None:
        return [f"Session {clean(found.session)} holds no vote to replay."]
    total, same = len(found.rounds), sum(one.same for one in found.rounds)
    share = found.agreement
    other = [f"{one.round}" for one in found.rounds if not one.same]
    rest = "" if len(other) <= SHOWN else f" and {len(other) - SHOWN} more"
    said = [
        f"{clean(found.rule, 60)} picks the same as {', '.join(found.ran_under)} in {same} of "
        f"{plural(total, 'round')} of session {clean(found.session)}: {share.value:.0%}, 90 % interval "
        f"{share.low:.0%} to {share.high:.0%}.",
        f"What was picked measured {_meter(found.agreed)} where they agree, "
        f"{_meter(found.disagreed)} where they do not.",
    ]
    if other:
        said.append(f"They differ in rounds {', '.join(other[:SHOWN])}{rest}.")
        said.append(
            f"In {found.unknown} of these {len(other)} the other pick never ran: what it would have measured, and "
            "where the night would have gone from there, cannot be known."
        )
    if found.both.n:
        said.append(f"Where both ran, the other pick was better by {_meter(found.both)}.")
    return [line for text in said for line in wrap(text)]


def _meter(meter: Meter) -> str:
    if meter.value is None:
        return "nothing"
    if meter.interval is None:
        return f"{meter.value:+.2f} σ (one run)"
    return f"{meter.value:+.2f} σ on average ({meter.interval.low:+.2f} to {meter.interval.high:+.2f})"
