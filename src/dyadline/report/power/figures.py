"""Figures of a power study: curves with bands, a heat map, points with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dyadline.report.document import Figure
from dyadline.report.figures.axes import COUNT, GREY, INK, VALUE, Spec, chart, short, tooltip
from dyadline.report.numbers import proportion
from dyadline.report.power.names import DIMENSIONS, WITHOUT, value_text

COLOURS = (INK, "#11698E", "#B2560D", "#8E4C9E", GREY)
DASHES = ([1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [4, 2])
SHAPES = ("circle", "square", "diamond", "triangle-up", "cross")
MOST_LINES, MOST_PANELS = len(COLOURS), 6

SIZES = {1: (620, 260, 1), 4: (300, 220, 2), MOST_PANELS: (205, 170, 3)}
"""Most panels -> width and height of each, and how many stand beside each other."""

ACROSS = 560
"""Width that a heat map's cells share."""

Values = list[Spec]

POWER, TYPE_I = "Power", "Type I error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Points of one panel: ``x, y, low, high, line``; its title may be empty."""

    title: str
    values: Values


def known_points(rows: Sequence[Mapping[str, Any]], x: str, y: str, line: str) -> Values:
    """Points where there is a number: per cent for drop-out, all others as they are."""
    return [
        {
            "x": short(100.0 * r[x]) if x == "drop_out" else r[x],
            "y": short(r[y]),
            "low": short(r[f"{y}_low"]),
            "high": short(r[f"{y}_high"]),
            "line": line,
        }
        for r in rows
        if r[x] is not None and r[y] is not None and r[f"{y}_low"] is not None and r[f"{y}_high"] is not None
    ]


def power_curves(
    panels: Sequence[Panel], x: str, *, lines: Sequence[str], goal: float, key: str, caption: str, alt: str
) -> Figure:
    """Power over something that can be counted, with its Monte-Carlo band.

    Parameters
    ----------
    panels
        Their points; ``x`` as `x` says.
    x
        What is on the horizontal axis.
    lines
        Names of the lines in their order.
    goal
        Power that is wanted: a dashed line.
    key, caption, alt
        Of the figure.
    """
    ticks = sorted({v["x"] for panel in panels for v in panel.values})
    width, height, columns = next(size for most, size in SIZES.items() if len(panels) <= most)
    axis: Spec = {"grid": False, "labelOverlap": "parity", "labelSeparation": 6, "format": "~f"}
    if len(ticks) <= 12:
        axis["values"] = ticks
    padding = 0.04 * (ticks[-1] - ticks[0])
    across: Spec = {
        "field": "x",
        "type": "quantitative",
        "title": DIMENSIONS[x].axis,
        "axis": axis,
        "scale": {"domain": [ticks[0] - padding, ticks[-1] + padding], "nice": False, "zero": False},
    }
    up: Spec = {"field": "y", "type": "quantitative", "title": POWER, "scale": {"domain": [0, 1]}}
    said = [("x", DIMENSIONS[x].axis, "~f"), ("y", POWER, VALUE)]
    told = tooltip(*said, ("low", "95% Monte-Carlo interval, from", VALUE), ("high", "to", VALUE))
    told = [*tooltip(("line", "Line")), *told] if len(lines) > 1 else told
    marks = [_panel(panel, across, up, _line_scales(lines), told, goal, width=width, height=height) for panel in panels]
    spacing = {"column": 62, "row": 82}
    body = marks[0] if len(marks) == 1 else {"concat": marks, "columns": columns, "spacing": spacing, "bounds": "flush"}
    return Figure(key=key, caption=caption, alt=alt, spec=chart(body))


def _line_scales(lines: Sequence[str]) -> dict[str, Spec]:
    if len(lines) < 2:
        return {"color": {"value": INK}}
    field: Spec = {"field": "line", "type": "nominal"}
    legend: Spec = {
        "symbolOpacity": 1,
        "columns": 2 if max(map(len, lines)) > 22 else 3 if max(map(len, lines)) > 14 else 5,
    }
    kept, n = list(lines), len(lines)
    return {
        "color": {**field, "scale": {"domain": kept, "range": list(COLOURS[:n])}, "legend": legend},
        "strokeDash": {**field, "scale": {"domain": kept, "range": list(DASHES[:n])}, "legend": legend},
        "shape": {**field, "scale": {"domain": kept, "range": list(SHAPES[:n])}, "legend": legend},
    }


def _panel(
    panel: Panel, x: Spec, y: Spec, scales: dict[str, Spec], told: list[Spec], goal: float, *, width: int, height: int
) -> Spec:
    colour = {"color": scales["color"]}
    dash = {k: scales[k] for k in ("color", "strokeDash") if k in scales}
    shape = {k: scales[k] for k in ("color", "shape") if k in scales}
    return {
        **({"title": panel.title} if panel.title else {}),
        "width": width,
        "height": height,
        "data": {"values": panel.values},
        "layer": [
            {
                "mark": {"type": "area", "opacity": 0.15},
                "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, **colour},
            },
            _goal("y", goal, POWER),
            {"mark": {"type": "line", "strokeWidth": 2.2}, "encoding": {"x": x, "y": y, **dash}},
            {
                "mark": {"type": "point", "filled": True, "size": 42, "opacity": 1},
                "encoding": {"x": x, "y": y, **shape, "tooltip": told},
            },
        ],
    }


def _goal(channel: str, value: float, title: str) -> Spec:
    return {
        "mark": {"type": "rule", "color": GREY, "strokeDash": [4, 3], "strokeWidth": 1.2},
        "encoding": {channel: {"datum": value, "type": "quantitative", "title": title}},
    }


def heat_map(panels: Sequence[Panel], *, goal: float, caption: str, alt: str) -> Figure:
    """Dyads by sessions, with power as the depth of a colour and as a number.

    Parameters
    ----------
    panels
        Values ``dyads, sessions, y, low, high``.
    goal
        Power from which on cells are framed.
    caption, alt
        Of the figure.
    """
    drawn, columns = [], min(2, len(panels))
    for panel in panels:
        values = [{**v, "said": proportion(v["y"])} for v in panel.values]
        dyads = sorted({v["dyads"] for v in values}, reverse=True)
        x: Spec = {
            "field": "sessions",
            "type": "ordinal",
            "title": DIMENSIONS["sessions"].axis,
            "axis": {"labelAngle": 0},
        }
        y: Spec = {"field": "dyads", "type": "ordinal", "title": DIMENSIONS["dyads"].axis, "sort": dyads}
        at: Spec = {"x": {**x, "scale": {"padding": 0.03}}, "y": {**y, "scale": {"padding": 0.03}}}
        colour: Spec = {
            "field": "y",
            "type": "quantitative",
            "scale": {"domain": [0, 1], "range": ["#f3f7f9", "#57a0be"], "interpolate": "rgb"},
            "legend": None,
        }
        told = tooltip(
            ("dyads", DIMENSIONS["dyads"].axis, COUNT),
            ("sessions", DIMENSIONS["sessions"].axis, COUNT),
            ("y", POWER, VALUE),
            ("low", "95% Monte-Carlo interval, from", VALUE),
            ("high", "to", VALUE),
        )
        written: Spec = {**at, "text": {"field": "said"}, "color": {"value": INK}}
        enough = {"test": f"datum.y >= {goal:.6g}"}
        drawn.append(
            {
                **({"title": panel.title} if panel.title else {}),
                "width": {"step": max(62, min(110, ACROSS // (columns * len({v["sessions"] for v in values}))))},
                "height": {"step": 26 if len(dyads) > 6 else 34},
                "data": {"values": values},
                "layer": [
                    {
                        "mark": {"type": "rect", "stroke": INK},
                        "encoding": {
                            **at,
                            "color": colour,
                            "strokeWidth": {"condition": {**enough, "value": 1.6}, "value": 0},
                            "tooltip": told,
                        },
                    },
                    {"mark": {"type": "text", "fontSize": 12}, "encoding": written},
                ],
            }
        )
    body = drawn[0] if len(drawn) == 1 else {"concat": drawn, "columns": columns, "spacing": 60}
    return Figure(key="dyads-sessions", caption=caption, alt=alt, spec=chart(body))


def therapist_points(
    values: Sequence[Panel],
    *,
    lines: Sequence[str],
    order: Sequence[str],
    goal: float,
    alpha: float,
    caption: str,
    alt: str,
) -> Figure:
    """Power, and type I error beside it, by patients per therapist.

    Parameters
    ----------
    values
        One panel titled `POWER`, and one titled `TYPE_I` where it is known: ``x`` (as `order`), ``y, low, high, line``.
    lines, order
        Names of the lines, and of the places on the horizontal axis.
    goal, alpha
        What power and type I error should be.
    caption, alt
        Of the figure.
    """
    drawn = []
    for panel in values:
        top = 1.0 if panel.title == POWER else max(3.0 * alpha, *(1.1 * v["high"] for v in panel.values))
        x: Spec = {"field": "x", "type": "ordinal", "sort": list(order), "title": DIMENSIONS["per_therapist"].axis}
        x |= {"axis": {"labelAngle": 0, "grid": False}}
        y: Spec = {"field": "y", "type": "quantitative", "title": panel.title, "scale": {"domain": [0, short(top)]}}
        form = VALUE if panel.title == POWER else ",.3f"
        told = tooltip(
            *([("line", "Line")] if len(lines) > 1 else []),
            ("x", DIMENSIONS["per_therapist"].axis),
            ("y", panel.title, form),
            ("low", "95% Monte-Carlo interval, from", form),
            ("high", "to", form),
        )
        drawn.append(
            {
                "width": 290,
                "height": 220,
                "data": {"values": panel.values},
                "layer": [
                    _goal("y", goal if panel.title == POWER else alpha, panel.title),
                    *_points("x", "y", x, y, lines, told),
                ],
            }
        )
    body = drawn[0] if len(drawn) == 1 else {"concat": drawn, "columns": 2, "spacing": 70, "bounds": "flush"}
    return Figure(key="therapists", caption=caption, alt=alt, spec=chart(body))


def _points(
    place: str, measure: str, x: Spec, y: Spec, lines: Sequence[str], told: list[Spec], *, wide: bool = False
) -> list[Spec]:
    """Intervals with points on them, a colour and shape per line."""
    field: Spec = {"field": "line", "type": "nominal"}
    colour: Spec = {"color": {"value": INK}}
    shape: Spec = {}
    offset: Spec = {}
    if len(lines) > 1:
        kept, n = list(lines), len(lines)
        legend: Spec = {"columns": 3 if max(map(len, lines)) > 14 else 5}
        colour = {"color": {**field, "scale": {"domain": kept, "range": list(COLOURS[:n])}, "legend": legend}}
        shape = {"shape": {**field, "scale": {"domain": kept, "range": list(SHAPES[:n])}, "legend": legend}}
        offset = {f"{place}Offset": {**field, "sort": kept, "scale": {"domain": kept}}}
    at = {"x": x, "y": y, **offset, **colour}
    ends = {**at, measure: {**at[measure], "field": "low"}, f"{measure}2": {"field": "high"}}
    return [
        {"mark": {"type": "rule", "strokeWidth": 1.8}, "encoding": ends},
        {
            "mark": {"type": "point", "filled": True, "size": 65, "opacity": 1},
            "encoding": {**at, **shape, "tooltip": told},
        },
    ]


def score_points(values: Values, *, order: Sequence[str], goal: float, caption: str, alt: str) -> Figure:
    """Power by operationalisation, with what it would be without error.

    Parameters
    ----------
    values
        ``score, kind, y``, and ``low, high`` for those with an interval.
    order
        Scores from top to bottom.
    goal
        Power that is wanted.
    caption, alt
        Of the figure.
    """
    kinds = ["As scored", "Without error"]
    field: Spec = {"field": "kind", "type": "nominal"}
    y = _names_axis("score", order)
    x: Spec = {"field": "y", "type": "quantitative", "title": POWER, "scale": {"domain": [0, 1]}}
    colour = {**field, "scale": {"domain": kinds, "range": [INK, "#B2560D"]}}
    shape = {**field, "scale": {"domain": kinds, "range": ["circle", "diamond"]}}
    told = tooltip(
        ("score", "Score"),
        ("kind", "Scores"),
        ("y", POWER, VALUE),
        ("low", "95% Monte-Carlo interval, from", VALUE),
        ("high", "to", VALUE),
    )
    both = len({v["kind"] for v in values}) > 1
    scales = {"color": colour, "shape": shape} if both else {"color": {"value": INK}}
    layers: list[Spec] = [
        _goal("x", goal, POWER),
        {
            "mark": {"type": "rule", "strokeWidth": 1.8, "color": INK},
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
            "encoding": {"x": x, "y": y, **scales, "tooltip": told},
        },
    ]
    body = {"data": {"values": values}, "width": 430, "height": {"step": 30}, "layer": layers}
    return Figure(key="scores", caption=caption, alt=alt, spec=chart(body))


def _names_axis(name: str, order: Sequence[str]) -> Spec:
    axis: Spec = {"labelLimit": 260, "grid": True, "ticks": False, "domain": False, "labelPadding": 8}
    return {"field": name, "type": "nominal", "sort": list(order), "title": None, "axis": axis}


def attenuation_points(values: Values, *, order: Sequence[str], lines: Sequence[str], caption: str, alt: str) -> Figure:
    """How much of the expected slope is found, as points with intervals beside 1.

    Parameters
    ----------
    values
        ``row, line, y, low, high, expected, found``.
    order, lines
        Rows from top to bottom, and names of the lines.
    caption, alt
        Of the figure.
    """
    title = "Slope found / slope expected"
    y = _names_axis("row", order)
    low, high = min(0.0, *(v["low"] for v in values)), max(1.1, *(v["high"] for v in values))
    x: Spec = {"field": "y", "type": "quantitative", "title": title, "scale": {"domain": [short(low), short(high)]}}
    told = tooltip(
        ("row", "Design"),
        *([("line", "Line")] if len(lines) > 1 else []),
        ("expected", "Slope expected (no error)", ",.4f"),
        ("found", "Slope found", ",.4f"),
        ("y", "Ratio", VALUE),
        ("low", "95% Monte-Carlo interval, from", VALUE),
        ("high", "to", VALUE),
    )
    layers = [_goal("x", 1.0, title), *_points("y", "x", x, y, lines, told)]
    step = 30 if len(lines) < 2 else 14
    body = {"data": {"values": values}, "width": 430, "height": {"step": step}, "layer": layers}
    return Figure(key="attenuation", caption=caption, alt=alt, spec=chart(body))


def place_of(value: Any) -> str:
    """Patients per therapist as the axis has them."""
    return WITHOUT if value is None else value_text("per_therapist", value)
