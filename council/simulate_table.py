"""What came of simulated nights as text: the tables that `council simulate` and `benchmarks/mechanism.py` print.

Why one place: whoever repeats a figure of `docs/simulation.md` must see the same columns. To add one: a name in a head
and a cell in `table`.
"""

from __future__ import annotations

from collections.abc import Sequence

from council.simulate import Picks, Report, findings


def text(found: Sequence[Report], picked: Sequence[Picks]) -> str:
    """Everything: what verdict and closing do in each world, what each way to pick gains, which promises hold."""
    parts = [table(found), *(_picks(one) for one in picked)]
    said = [f"  {f.state:<7} {f.what}; {f.world}: {f.figure.text(3)}" for f in findings(found)]
    parts.append("\n".join(["Promises, each by its worst world (open: missed by less than the interval):", *said]))
    return "\n\n".join(parts)


def _picks(one: Picks) -> str:
    figures = (one.gains | one.ahead).items()
    lines = [f"  {name:<18} {figure.text(2)}" for name, figure in figures]
    return "\n".join([f"True gain by way to pick, world {one.world}, {one.nights} nights (mBPB):", *lines])


NIGHT_HEAD = ("world", "nights", "design", "raw", "design−raw", "worse", "raw", ">.5σ", "raw") + (
    *("false keeps", "raw", "booked", "raw"),
)
END_HEAD = ("world", "on baseline", "confirmed", "false claims", "missed") + (
    *("skill cover", "realised", "half", "spread", "judges help", "shown"),
)


def table(found: Sequence[Report]) -> str:
    """Two tables as plain text: what the verdict does to a night, and what is claimed at its end."""
    night: list[tuple[str, ...]] = [NIGHT_HEAD]
    end: list[tuple[str, ...]] = [END_HEAD]
    for r in found:
        gains = (r.design.text(2), r.raw.text(2), r.ahead.text(2))
        worse = (r.worse.text(2), f"{r.worse_raw.value:.2f}", r.much_worse.text(3), f"{r.much_worse_raw.value:.3f}")
        keeps = (r.false_keeps.text(2), f"{r.false_keeps_raw.value:.2f}")
        night.append(
            (r.world.name, str(r.nights), *gains, *worse, *keeps, r.booked.text(2), f"{r.booked_raw.value:.2f}")
        )
        shares = (r.on_baseline.text(2), r.confirmed.text(2), r.claims.text(3), r.missed.text(3))
        skill = (
            r.covered.text(3),
            r.covered_realised.text(3),
            f"{r.half:.2f}",
            f"{r.spread:.2f}",
            r.helping.text(2),
            r.shown.text(2),
        )
        end.append((r.world.name, *shares, *skill))
    return "\n".join(
        [
            "True gain over the baseline at a night's end (mBPB), verdict as designed and raw; ± half a 95 % interval.",
            "worse: share of nights that end worse than the baseline; booked: believed beyond the truth (σ).",
            *_grid(night),
            "",
            "The night's end, verdict as designed: three closing pairs, and 90 % skill intervals (σ per experiment).",
            *_grid(end),
        ]
    )


def _grid(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
