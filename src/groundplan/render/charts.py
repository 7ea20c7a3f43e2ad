"""Charts as SVG text, drawn by Altair. Optional: without the `charts` extra a report says how to get them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any

from groundplan.errors import MissingExtra
from groundplan.render.document import Chart, ChartKind, one_line

WIDTH = 560
BAR_STEP = 24
HEIGHT = 260
INK = "currentColor"  # the page's own text colour, light or dark
FAINT = "#8886"
BLUE = "#4c78a8"
ORANGE, RED, GREEN = "#f58518", "#e45756", "#54a24b"
PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"))
DURATIONS = ((2 * 86400.0, 86400.0, "days"), (2 * 3600.0, 3600.0, "hours"), (120.0, 60.0, "minutes"))
SYMBOLS = {"bytes": "B", "s": "s"}


def available() -> bool:
    """Say whether the parts that draw charts are installed."""
    return all(find_spec(name) is not None for name in ("altair", "vl_convert"))


def missing() -> MissingExtra:
    """Return the error that says how to get them."""
    return MissingExtra("charts in reports", "charts")


def svg(chart: Chart, name: str) -> str:
    """Return a chart as an SVG element to stand in a page; `name` keeps its ids apart from other charts'.

    Raises
    ------
    MissingExtra
        When Altair or vl-convert is not installed.
    """
    described = spec(chart)
    import vl_convert

    text: str = vl_convert.vegalite_to_svg(described)
    return _embedded(text, chart.title, name)


def spec(chart: Chart) -> str:
    """Return a chart as Vega-Lite JSON, which a browser draws with `bundle`.

    Raises
    ------
    MissingExtra
        When Altair or vl-convert is not installed.
    """
    if not available():
        raise missing()
    import altair

    chart = _drawable(chart)
    drawn = DRAWN[chart.kind](altair, chart)
    styled = (
        drawn.configure(
            background="transparent",
            font="sans-serif",
            numberFormat=",.4~r",
            padding={"left": 24, "right": 24, "top": 10, "bottom": 10},
        )
        .configure_view(stroke=None)
        .configure_mark(tooltip=True)
        .configure_axis(
            labelColor=INK, titleColor=INK, gridColor=FAINT, domainColor=FAINT, tickColor=FAINT, labelLimit=260
        )
        .configure_legend(labelColor=INK, titleColor=INK, labelLimit=260)
    )
    described: str = styled.to_json(indent=None)
    return described


@cache
def bundle() -> str:
    """Return the script that draws charts in a browser: Vega, Vega-Lite and Vega-Embed, as the wheel carries them."""
    import vl_convert

    script: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub asks for what it does not need
    return script


def _drawable(chart: Chart) -> Chart:
    """Return the chart without control characters in its texts: they end vl-convert's process."""
    points = tuple(
        {key: one_line(value) if isinstance(value, str) else value for key, value in point.items()}
        for point in chart.points
    )
    return Chart(chart.kind, one_line(chart.title), chart.unit, points)


def _embedded(text: str, title: str, name: str) -> str:
    """Make the SVG part of a page: no XML names, ids of its own, as wide as the page allows, a name for readers."""
    from html import escape

    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r'\bid="', f'id="{name}-', text).replace("url(#", f"url(#{name}-")
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(title, quote=True)}" ', 1)


def _shares(altair: Any, chart: Chart) -> Any:
    largest = max(abs(float(point["value"])) for point in chart.points)
    scale, unit = _scaled(largest, chart.unit)
    points = [{"term": str(point["term"]), "value": float(point["value"]) / scale} for point in chart.points]
    return (
        altair.Chart(altair.Data(values=points))
        .mark_bar(color=BLUE, cornerRadiusEnd=2)
        .encode(
            x=altair.X("value:Q", title=unit, axis=altair.Axis(tickCount=6)),
            y=altair.Y("term:N", sort="-x", title=None, axis=altair.Axis(grid=False)),
        )
        .properties(width=WIDTH, height={"step": BAR_STEP})
    )


def _front(altair: Any, chart: Chart) -> Any:
    scale, unit = _duration(max(float(point["run_s"]) for point in chart.points))
    points = [{**point, "time": float(point["run_s"]) / scale} for point in chart.points]
    base = altair.Chart(altair.Data(values=points))
    x = altair.X("time:Q", title=f"run time ({unit})", scale=_span(altair, points, "time"))
    y = altair.Y(
        "cost_usd:Q", title="cost (USD)", scale=_span(altair, points, "cost_usd"), axis=altair.Axis(format="$,.3~s")
    )
    line = base.mark_line(color=FAINT, interpolate="step-after").encode(x=x, y=y)
    dots = base.mark_point(filled=True, size=70).encode(
        x=x, y=y, color=altair.Color("accelerator:N", title=None), tooltip=["design:N"]
    )
    return (line + dots).properties(width=WIDTH, height=HEIGHT)


def _span(altair: Any, points: list[dict[str, Any]], key: str) -> Any:
    """Return a scale from 0, or a logarithmic one where the values span more than a factor of twenty."""
    values = [float(point[key]) for point in points]
    wide = min(values) > 0 and max(values) / min(values) > 20.0
    return altair.Scale(type="log") if wide else altair.Scale(zero=True)


def _months(altair: Any, chart: Chart) -> Any:
    points = [{**point, "month": int(point["month"])} for point in chart.points]
    totals: dict[str, float] = {}
    for point in chart.points:
        totals[str(point["term"])] = totals.get(str(point["term"]), 0.0) + float(point["value"])
    largest_first = sorted(totals, key=lambda term: -totals[term])
    return (
        altair.Chart(altair.Data(values=points))
        .mark_bar()
        .encode(
            x=altair.X("month:O", title="month of 30 days", axis=altair.Axis(labelAngle=0)),
            y=altair.Y("sum(value):Q", title="USD", axis=altair.Axis(format="$,.3~s", tickCount=6)),
            color=altair.Color("term:N", title=None, sort=largest_first),
        )
        .properties(width=WIDTH, height=HEIGHT)
    )


def _agreement(altair: Any, chart: Chart) -> Any:
    """Points on two logarithmic axes, and the line on which prediction and measurement are equal."""
    largest = max(float(point["measured"]) for point in chart.points)
    scale, unit = (1.0, "s") if chart.unit == "s" else _scaled(largest, chart.unit)
    points = [
        {**point, "measured": float(point["measured"]) / scale, "predicted": float(point["predicted"]) / scale}
        for point in chart.points
    ]
    ends = [min(point["measured"] for point in points), max(point["measured"] for point in points)]
    axis = altair.Scale(type="log", nice=False)
    x = altair.X("measured:Q", title=f"measured ({unit})", scale=axis)
    y = altair.Y("predicted:Q", title=f"predicted ({unit})", scale=axis)
    line = altair.Chart(altair.Data(values=[{"measured": end, "predicted": end} for end in ends]))
    dots = altair.Chart(altair.Data(values=points)).mark_point(filled=True, size=16, opacity=0.6)
    colour = altair.Color("set:N", title=None)
    return (line.mark_line(color=FAINT).encode(x=x, y=y) + dots.encode(x=x, y=y, color=colour)).properties(
        width=WIDTH, height=WIDTH * 3 // 4
    )


def _errors(altair: Any, chart: Chart) -> Any:
    """Bars to the 90th percentile of the error, with a darker one to the median inside."""
    base = altair.Chart(altair.Data(values=[dict(point) for point in chart.points]))
    y = altair.Y("set:N", title=None, sort=None, axis=altair.Axis(grid=False, labelLimit=400))
    x = altair.X("p90:Q", title="absolute error (%): median dark, nine in ten light")
    wide = base.mark_bar(color=BLUE, opacity=0.35).encode(x=x, y=y)
    dark = base.mark_bar(color=BLUE, size=10).encode(x=altair.X("median:Q"), y=y)
    return (wide + dark).properties(width=WIDTH, height={"step": BAR_STEP})


def _scaled(largest: float, unit: str) -> tuple[float, str]:
    """Return the factor and the name of the unit that makes the largest value readable."""
    if unit == "USD" or not math.isfinite(largest) or largest <= 0.0:
        return 1.0, unit
    if unit == "s" and largest >= DURATIONS[-1][0]:
        return _duration(largest)
    scale, prefix = next(((scale, prefix) for scale, prefix in PREFIXES if largest >= scale), PREFIXES[-1])
    if unit == "s":
        scale, prefix = (scale, prefix) if scale < 1.0 else (1.0, "")
    return scale, prefix + SYMBOLS.get(unit, unit)


def _duration(largest_s: float) -> tuple[float, str]:
    return next(((scale, unit) for limit, scale, unit in DURATIONS if largest_s >= limit), (1.0, "s"))


def _bridge(altair: Any, chart: Chart) -> Any:
    order = [str(point["step"]) for point in chart.points]
    colour = altair.Scale(domain=["total", "more", "less"], range=[BLUE, RED, GREEN])
    return (
        altair.Chart(altair.Data(values=[dict(point) for point in chart.points]))
        .mark_bar(size=BAR_STEP)
        .encode(
            x=altair.X("step:N", sort=order, title=None, axis=altair.Axis(labelAngle=0, grid=False)),
            y=altair.Y("start:Q", title=chart.unit, axis=altair.Axis(format="$,.3~s")),
            y2="end:Q",
            color=altair.Color("kind:N", scale=colour, legend=None),
        )
        .properties(width=WIDTH, height=HEIGHT)
    )


def _burn_down(altair: Any, chart: Chart) -> Any:
    colour = altair.Color(
        "line:N",
        title=None,
        scale=altair.Scale(domain=["spent", "forecast", "budget"], range=[BLUE, ORANGE, RED]),
        legend=altair.Legend(orient="top"),
    )
    x, y = _days(altair), altair.Y("value:Q", title=f"{chart.unit} by then", axis=altair.Axis(format="$,.3~s"))
    points = [dict(point) for point in chart.points]
    lines = altair.Chart(altair.Data(values=points)).mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour)
    band = altair.Chart(altair.Data(values=[point for point in points if "low" in point]))
    area = band.mark_area(color=ORANGE, opacity=0.25).encode(x=x, y=altair.Y("low:Q"), y2="high:Q")
    return (area + lines).properties(width=WIDTH, height=HEIGHT)


def _time_line(altair: Any, chart: Chart) -> Any:
    points = [dict(point) for point in chart.points if "day" in point]
    spans = [dict(point) for point in chart.points if "start" in point]
    causes = altair.Scale(domain=["price", "quantity", "mix"], range=[RED, ORANGE, GREEN])
    line = altair.Chart(altair.Data(values=points)).mark_line(color=BLUE, strokeWidth=2)
    y = altair.Y("value:Q", title=f"{chart.unit} a day", axis=altair.Axis(format="$,.3~s"))
    drawn = line.encode(x=_days(altair), y=y)
    if spans:
        colour = altair.Color("cause:N", title="shifted by", scale=causes, legend=altair.Legend(orient="top"))
        start = altair.X("start:T", scale=altair.Scale(type="utc"), title=None)
        bands = altair.Chart(altair.Data(values=spans)).mark_rect(opacity=0.3)
        drawn = bands.encode(x=start, x2="end:T", color=colour) + drawn
    return drawn.properties(width=WIDTH, height=HEIGHT)


def _days(altair: Any) -> Any:
    axis = altair.Axis(format="%-d %b", tickCount=8, labelOverlap=True, grid=False)
    return altair.X("day:T", title=None, scale=altair.Scale(type="utc"), axis=axis)


DRAWN: Mapping[ChartKind, Callable[[Any, Chart], Any]] = {
    ChartKind.SHARES: _shares,
    ChartKind.FRONT: _front,
    ChartKind.MONTHS: _months,
    ChartKind.AGREEMENT: _agreement,
    ChartKind.ERRORS: _errors,
    ChartKind.BRIDGE: _bridge,
    ChartKind.BURN_DOWN: _burn_down,
    ChartKind.TIME_LINE: _time_line,
}
