"""What all figures share: colours, axes, type, and a panel of many thin lines.

Patient and therapist differ in colour (both safe for the colour-blind), dash and shape, so that a grey print
can be read too.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import polars as pl

PATIENT, THERAPIST, INK, GREY = "#0072B2", "#D55E00", "#222222", "#767676"
RATERS = ("Patient", "Therapist")

Spec = dict[str, Any]

CONFIG: Spec = {
    "font": "sans-serif",
    "aria": False,  # the figure has one description; a mark's own would spell out a dyad's values
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": 12,
        "titleFontSize": 12.5,
        "titleFontWeight": "normal",
        "labelColor": INK,
        "titleColor": INK,
        "domainColor": GREY,
        "tickColor": GREY,
        "gridColor": "#e9e9e9",
        "titlePadding": 8,
    },
    "header": {"labelFontSize": 12.5, "titleFontSize": 12.5, "labelColor": INK, "labelFontWeight": "bold"},
    "title": {"fontSize": 12.5, "subtitleFontSize": 12, "color": INK, "subtitleColor": "#444444", "anchor": "start"},
    "legend": {
        "labelFontSize": 12,
        "title": None,
        "orient": "top",
        "symbolStrokeWidth": 0,
        "symbolSize": 90,
        "labelLimit": 300,
    },
}


def chart(body: Spec) -> Spec:
    """A whole specification: the body with the common style."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        "padding": 4,
        "config": CONFIG,
        **body,
    }


def time_axis(times: pl.Series, title: str) -> Spec:
    """Occasions as the data name them: each labelled where they are few."""
    known = sorted(set(times.drop_nulls().to_list()))
    axis: Spec = {"grid": False, "labelOverlap": "greedy"}
    if 0 < len(known) <= 20:
        axis["values"] = known
    padding = 0.04 * (known[-1] - known[0]) if len(known) > 1 else 0.5
    domain = [known[0] - padding, known[-1] + padding] if known else [0, 1]
    return {
        "field": "x",
        "type": "quantitative",
        "title": title,
        "axis": axis,
        "scale": {"domain": domain, "nice": False, "zero": False},
    }


def value_axis(values: list[Spec], title: str) -> Spec:
    """One vertical axis for all panels, so that they can be compared."""
    heights = [v["y"] for v in values] or [0.0, 1.0]
    return {
        "field": "y",
        "type": "quantitative",
        "title": title,
        "scale": {"zero": False, "nice": True, "domain": [min(heights), max(heights)]},
    }


def smallest_step(times: pl.Series) -> float:
    """Distance of neighbouring occasions, or a 14th of the whole where some are nearer."""
    known = sorted(set(times.drop_nulls().to_list()))
    if len(known) < 2:
        return 1.0
    # On occasions such as 1, 3, 12, 20 a share of the whole keeps the two raters visibly apart.
    nearest = min(b - a for a, b in pairwise(known))
    return float(max(nearest, (known[-1] - known[0]) / 14.0))


def rater_scales() -> tuple[Spec, Spec, Spec]:
    """Colour, dash and shape of the two raters."""
    field: Spec = {"field": "rater", "type": "nominal"}
    colour = {**field, "scale": {"domain": list(RATERS), "range": [PATIENT, THERAPIST]}}
    shape = {**field, "scale": {"domain": list(RATERS), "range": ["circle", "square"]}}
    dash = {**field, "scale": {"domain": list(RATERS), "range": [[1, 0], [7, 4]]}}
    return colour, dash, shape


def lines_panel(
    values: list[Spec], title: str, colour: str, x: Spec, y: Spec, *, mean: list[Spec] | None = None
) -> Spec:
    """Many thin lines, and a heavy one for their mean.

    Parameters
    ----------
    values
        ``i`` (line), ``x``, ``y``.
    title, colour
        Of the panel and its lines.
    x, y
        Axes.
    mean
        ``x, y`` of the heavy line.
    """
    lines = len({v["i"] for v in values})
    layers: list[Spec] = [
        {
            "data": {"values": values},
            "mark": {"type": "line", "color": colour, "strokeWidth": 0.8, "opacity": _opacity(lines)},
            "encoding": {"x": x, "y": y, "detail": {"field": "i"}},
        }
    ]
    if mean:
        layers.append(
            {
                "data": {"values": mean},
                "mark": {"type": "line", "color": INK, "strokeWidth": 2.5},
                "encoding": {"x": x, "y": y},
            }
        )
    return {"title": title, "width": 330, "height": 210, "layer": layers}


def _opacity(lines: int) -> float:
    return float(max(0.22, min(0.7, 25.0 / max(lines, 1) ** 0.9)))
