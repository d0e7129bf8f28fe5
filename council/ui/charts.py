"""Charts: Altair draws, vl-convert renders to SVG or PNG when a page or a report is written. No script in any of them.

Why SVG text: it is inlined into pages and reports, takes their light or dark colours through CSS variables and prints
well. Altair is imported when a chart is drawn, never before. `council/ui/svg.py` writes the labels and
makes foreign text inert. How to extend: a new chart is a function that draws with Altair, and one that renders.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from council.ui import svg
from council.ui.svg import COLOURS
from council.views.staircase import Run, Staircase
from council.views.words import bpb, clean, plural, symbol

Link = Callable[[int], str]
"""The address of a round."""

_RENDERER = threading.Lock()
SHAPES = {
    "keep": "circle",
    "discard": "circle",
    "beyond": "M0,-1L0.8,0.1L0.25,0.1L0.25,0.9L-0.25,0.9L-0.25,0.1L-0.8,0.1Z",
    "replicate": "circle",
    "closing": "diamond",
    "baseline": "square",
    "crash": "cross",
    "rejected": "triangle-up",
    "void": "triangle-down",
}
"""How each kind of experiment is drawn, in the order of the legend; `beyond` is any that measured above the scale."""

SIZES = {"keep": 62, "discard": 20, "beyond": 110}
"""Areas of the marks that are not of the usual size."""

FAILED = ("crash", "rejected", "void")
"""What has no number that counts: it stands at the upper edge as what it is."""

HEADROOM = 5.0
"""Runs measured more than so many σ above the booked range lie beyond the scale; where nobody knows σ, more than the
booked range itself."""

NAMED = 5
"""Runs beyond the scale that are named, the farthest first."""


def staircase(found: Staircase, link: Link | None = None, width: int = 820, height: int = 300) -> str:
    """The staircase as SVG; `link` gives the address behind each run."""
    links = {run.number: link(run.round) for run in found.runs} if link else {}
    return svg.finish(_svg(_staircase(found, width, height)), "Booked best by experiment", links)


def staircase_png(found: Staircase) -> bytes:
    """The staircase as PNG on white, two pixels to a point."""
    import vl_convert

    with _RENDERER:
        return bytes(vl_convert.vegalite_to_png(_staircase(found, 820, 320, "#ffffff"), scale=2))


def curve(points: Sequence[Sequence[float | None]], width: int = 560, height: int = 200) -> str:
    """Training loss over seconds as SVG."""
    import altair as alt

    rows = [{"s": p[0], "loss": p[2]} for p in points if p[0] is not None and p[2] is not None]
    chart = alt.Chart(alt.InlineData(rows)).mark_line(color=COLOURS["best"], strokeWidth=1.8, clip=True)
    y = alt.Y("loss:Q", title="training loss", scale=_around([r["loss"] for r in rows]))
    return svg.finish(
        _svg(_themed(chart.encode(x=alt.X("s:Q", title="seconds"), y=y), width, height)), "Training loss by second"
    )


def reliability(bins: Sequence[tuple[float, float, int]], width: int = 300, height: int = 240) -> str:
    """How often what was forecast came true: (mean forecast, share that came true, count) per bin, as SVG."""
    import altair as alt

    rows = [{"p": p, "hit": hit, "n": n, "d": f"0|{n} at {p:.0%}: {hit:.0%} came true"} for p, hit, n in bins]
    unit = alt.Scale(domain=[0, 1])
    axis = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1])
    diagonal = (
        alt.Chart(alt.InlineData([{"p": 0, "hit": 0}, {"p": 1, "hit": 1}]))
        .mark_line(strokeDash=[4, 4], color=COLOURS["muted"], strokeWidth=1)
        .encode(x="p:Q", y="hit:Q")
    )
    points = (
        alt.Chart(alt.InlineData(rows))
        .mark_point(filled=True, color=COLOURS["best"], opacity=0.9)
        .encode(
            x=alt.X("p:Q", title="forecast", scale=unit, axis=axis),
            y=alt.Y("hit:Q", title="came true", scale=unit, axis=axis),
            size=alt.Size("n:Q", legend=None, scale=alt.Scale(range=[30, 320])),
            description="d:N",
        )
    )
    return svg.finish(_svg(_themed(diagonal + points, width, height)), "Forecast against outcome")


def trend(values: Sequence[tuple[int, float]], title: str, width: int = 420, height: int = 200) -> str:
    """A number by round, as SVG."""
    import altair as alt

    rows = [{"round": n, "value": v} for n, v in values]
    chart = alt.Chart(alt.InlineData(rows)).mark_line(color=COLOURS["best"], strokeWidth=1.8)
    y = alt.Y("value:Q", title=title, scale=_around([v for _, v in values]))
    x = alt.X("round:Q", title="round", axis=alt.Axis(tickMinStep=1, format="d"))
    return svg.finish(_svg(_themed(chart.encode(x=x, y=y), width, height)), f"{title} by round")


def _staircase(found: Staircase, width: int, height: int, background: str = COLOURS["paper"]) -> dict[str, Any]:
    """Its rows stay out of Altair, which copies and checks all of them at every step."""
    import altair as alt

    low, high = _range(found)
    scale = alt.Scale(domain=[low, high], zero=False, nice=False)
    runs = _marks(found, high)
    last = max([run.number for run in found.runs] or [1])
    x = alt.X(
        "n:Q",
        title="experiment",
        scale=alt.Scale(domain=[0.5, last + 0.5], nice=False),
        axis=alt.Axis(tickMinStep=1, format="d", grid=False),
    )
    y = alt.Y("y:Q", title="BPB (lower is better)", scale=scale, axis=alt.Axis(format=".4f", tickCount=6))
    steps = alt.Chart(alt.NamedData("steps")).encode(x=x)
    line: dict[str, Any] = {"interpolate": "step-after", "clip": True}
    layers = [
        steps.mark_area(color=COLOURS["band"], opacity=1, **line).encode(y=alt.Y("low:Q", scale=scale), y2="high:Q"),
        steps.mark_line(color=COLOURS["muted"], strokeDash=[5, 4], strokeWidth=1.2, **line).encode(
            y=alt.Y("base:Q", scale=scale)
        ),
        steps.mark_line(color=COLOURS["best"], strokeWidth=2.2, **line).encode(y=alt.Y("y:Q", scale=scale)),
        _points(runs, x, y),
        _back(found, x, scale),
    ]
    chart = alt.layer(*layers)
    if said := beyond(found):
        about = {"anchor": "start", "fontSize": 11.5, "fontWeight": "normal", "color": COLOURS["muted"], "offset": 8}
        chart = chart.properties(title=alt.TitleParams(said, orient="bottom", frame="group", **about))
    spec = _themed(chart, width, height, background)
    return {**spec, "datasets": {"runs": runs, "steps": _steps(found, last)}}


def beyond(found: Staircase) -> str:
    """Which runs measured above the scale, so that nobody takes their marks at the edge for their place; '' if none."""
    high = _range(found)[1]
    runs = sorted((run for run in found.runs if _beyond(run, high)), key=lambda run: (-(run.bpb or 0.0), run.number))
    if not runs:
        return ""
    named = ", ".join(f"x{run.number} {bpb(run.bpb)}" for run in runs[:NAMED])
    more = f" and {len(runs) - NAMED} more" if len(runs) > NAMED else ""
    return f"{plural(len(runs), 'run')} {'lies' if len(runs) == 1 else 'lie'} beyond the scale: {named}{more}"


def _beyond(run: Run, high: float) -> bool:
    return run.bpb is not None and run.bpb > high and run.kind in SHAPES and run.kind not in FAILED


def _marks(found: Staircase, high: float) -> list[dict[str, Any]]:
    """A row per run that is drawn."""
    return [
        {
            "n": run.number,
            "y": high if run.bpb is None else min(run.bpb, high),
            "kind": "beyond" if _beyond(run, high) else run.kind,
            "d": f"{run.number}|{_about(run)}",
        }
        for run in found.runs
        if run.kind in SHAPES
    ]


def _points(rows: Sequence[dict[str, Any]], x: Any, y: Any) -> Any:
    import altair as alt

    kinds = [kind for kind in SHAPES if any(row["kind"] == kind for row in rows)]
    legend = alt.Legend(title=None, orient="top", direction="horizontal", symbolOpacity=1, offset=10)
    open_ = [kind for kind in kinds if kind in ("replicate", "baseline", "closing")]
    return (
        alt.Chart(alt.NamedData("runs"))
        .mark_point(opacity=1, strokeWidth=1.6)
        .encode(
            x=x,
            y=y,
            shape=alt.Shape("kind:N", legend=legend, scale=alt.Scale(domain=kinds, range=[SHAPES[k] for k in kinds])),
            stroke=alt.Stroke(
                "kind:N", legend=legend, scale=alt.Scale(domain=kinds, range=[COLOURS[k] for k in kinds])
            ),
            fill=alt.Fill(
                "kind:N",
                legend=legend,
                scale=alt.Scale(domain=kinds, range=[COLOURS["paper" if k in open_ else k] for k in kinds]),
            ),
            size=alt.Size(
                "kind:N",
                legend=legend,
                scale=alt.Scale(domain=kinds, range=[SIZES.get(kind, 44) for kind in kinds]),
            ),
            description="d:N",
        )
    )


def _back(found: Staircase, x: Any, scale: Any) -> Any:
    import altair as alt

    rows = [{"n": b.number, "y": b.best, "t": symbol("back")} for b in found.bookings if b.cause == "back"]
    base = alt.Chart(alt.InlineData(rows)).mark_text(dy=-12, fontSize=15, fontWeight="bold", color=COLOURS["back"])
    return base.encode(x=x, y=alt.Y("y:Q", scale=scale), text="t:N")


def _about(run: Run) -> str:
    """What a reader sees on pointing at a run."""
    what = f"{run.kind}: {clean(run.title, 80)} ({clean(run.member, 30)})" if run.title else run.kind
    return f"x{run.number}, round {run.round}, {bpb(run.bpb)}; {what}"


def _steps(found: Staircase, last: int) -> list[dict[str, float]]:
    """The book after each experiment, carried on to the last one; of several at one experiment the last counts."""
    by_number = {booking.number: booking for booking in found.bookings}
    rows = [
        {"n": b.number, "y": b.best, "low": b.best - sd, "high": b.best + sd, "base": b.baseline}
        for b in by_number.values()
        for sd in (b.best_sd or 0.0,)
    ]
    return [*rows, {**rows[-1], "n": last + 0.5}] if rows else rows


def _range(found: Staircase) -> tuple[float, float]:
    """The BPBs to draw: everything that was booked, and runs that are not far above it."""
    values = [run.bpb for run in found.runs if run.bpb is not None]
    if not found.bookings:
        return (min(values) - 0.01, max(values) + 0.01) if values else (0.0, 1.0)
    booked = [b.best for b in found.bookings]
    unit = found.bookings[-1].sigma or (max(booked) - min(booked)) / HEADROOM or 0.01
    top = max(max(b.best + (b.best_sd or 0.0), b.baseline + unit) for b in found.bookings)
    high = max([top, *(v for v in values if v <= top + HEADROOM * unit)]) + unit
    low = min([*(b.best - (b.best_sd or 0.0) for b in found.bookings), *values]) - unit
    return low, high


def _around(values: Sequence[float]) -> Any:
    """A scale over the values, a wild start cut off."""
    import altair as alt

    if not values:
        return alt.Undefined
    ordered = sorted(values)
    low, high = ordered[0], ordered[min(len(ordered) - 1, int(len(ordered) * 0.98))]
    room = (high - low) * 0.08 or 0.01
    return alt.Scale(domain=[low - room, high + room], zero=False, nice=False)


def _themed(chart: Any, width: int, height: int, background: str = COLOURS["paper"]) -> dict[str, Any]:
    font = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
    themed = (
        chart.properties(width=width, height=height, background=background)
        .configure(font=font, padding=6)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=COLOURS["muted"],
            titleColor=COLOURS["muted"],
            gridColor=COLOURS["grid"],
            domainColor=COLOURS["grid"],
            tickColor=COLOURS["grid"],
            labelFontSize=11,
            titleFontSize=11,
            titleFontWeight="normal",
        )
        .configure_legend(labelColor=COLOURS["ink"], labelFontSize=12, symbolSize=70)
    )
    return dict(themed.to_dict(validate=False))


def _svg(spec: dict[str, Any]) -> str:
    """Render; one at a time, since each renderer holds a JavaScript engine."""
    import vl_convert

    with _RENDERER:
        return str(vl_convert.vegalite_to_svg(spec))
