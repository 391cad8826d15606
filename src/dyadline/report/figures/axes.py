"""What all figures share: colours, axes, type, and a panel of many thin lines.

Patient and therapist differ in colour (both safe for the colour-blind), dash and shape, so that a grey print
can be read too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import polars as pl

from dyadline.plan.columns import ColumnsSection
from dyadline.report.labels import heading, source

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
        "titleLimit": 330,  # names of columns can be of any length
        "labelLimit": 220,
    },
    "axisY": {"titleLimit": 210},
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


DYAD: Spec = {"name": "dyad", "value": None}
"""Parameter of every figure of single dyads: the pseudonym of the dyad that stands out, or null."""


def individual_chart(body: Spec) -> Spec:
    """A specification whose data have a field ``dyad``: the viewer may let one stand out in all figures."""
    return chart({"params": [DYAD], **body})


def faded(opacity: float, *, lit: float = 1.0) -> Spec:
    """Opacity of a dyad's mark: as it is, lit while it stands out, faint while another dyad does."""
    plain = {"test": "dyad === null", "value": opacity}
    return {"condition": [plain, {"test": "datum.dyad === dyad", "value": lit}], "value": opacity / 5.0}


def widened(width: float, *, to: float = 2.5) -> Spec:
    """Width of a dyad's line: wider while it stands out."""
    return {"condition": {"test": "datum.dyad === dyad", "value": to}, "value": width}


def tooltip(*fields: tuple[str, str] | tuple[str, str, str]) -> list[Spec]:
    """What is said of a mark that is pointed at: (field, title) of words, (field, title, format) of numbers."""
    return [
        {"field": field, "title": title, "type": "quantitative", "format": form[0]}
        if form
        else {"field": field, "title": title, "type": "nominal"}
        for field, title, *form in fields
    ]


AS_IT_IS = "format(datum.value, '~f')"
"""Label of an occasion; an axis' own format would round 2.5 to 3 where ticks are 10 apart."""

COUNT, TIME, VALUE = ",d", "~f", ",.2f"
"""Formats of tooltips."""


def short(value: float) -> float:
    """Seven digits, which no eye can tell from all of them, in a third of the space."""
    return float(f"{value:.7g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisTitles:
    """What axes are called, with the names that the data have."""

    time: str
    patient: str
    therapist: str
    ratings: str
    outcome: str


def axis_titles(columns: ColumnsSection) -> AxisTitles:
    """Titles from the plan: ``Outcome (bdi)``, ``Alliance rating (WAI-S)``."""
    patient, therapist = source(columns, "patient_rating"), source(columns, "therapist_rating")
    both = patient if patient == therapist else f"{patient}, {therapist}"
    return AxisTitles(
        time=heading(columns.time),
        patient=f"Alliance rating ({patient})",
        therapist=f"Alliance rating ({therapist})",
        ratings=f"Alliance rating ({both})",
        outcome=f"Outcome ({source(columns, 'outcome')})",
    )


def time_axis(times: pl.Series, title: str, *, each: bool = True) -> Spec:
    """Occasions as the data name them: each labelled where they are few, unless they are `each` but a period."""
    known = sorted(set(times.drop_nulls().to_list()))
    steps = {round(b - a, 9) for a, b in pairwise(known)}
    # Where there is no room for all labels, every second one, unless occasions are unevenly spread.
    overlap = "parity" if len(steps) == 1 else "greedy"
    axis: Spec = {"grid": False, "labelOverlap": overlap, "labelSeparation": 6, "labelExpr": AS_IT_IS}
    if each and 0 < len(known) <= 20:
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


def value_axis(values: Sequence[Spec], title: str, *, fields: Sequence[str] = ("y",)) -> Spec:
    """One vertical axis for all panels, so that they can be compared; `fields` are those that it must hold."""
    heights = [v[f] for v in values for f in fields if v.get(f) is not None] or [0.0, 1.0]
    low, high = min(heights), max(heights)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return {
        "field": fields[0],
        "type": "quantitative",
        "title": title,
        "axis": {"tickCount": 6},
        "scale": {"zero": False, "nice": True, "domain": [low, high]},
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


def lines_panel(values: list[Spec], title: str, colour: str, x: Spec, y: Spec) -> Spec:
    """Many thin lines, one per dyad, any of which can stand out.

    Parameters
    ----------
    values
        ``dyad`` (pseudonym), ``x``, ``y``.
    title, colour
        Of the panel and its lines.
    x, y
        Axes.
    """
    lines = len({v["dyad"] for v in values})
    return {
        "title": title,
        "width": 330,
        "height": 210,
        "data": {"values": values},
        "mark": {"type": "line", "color": colour},
        "encoding": {
            "x": x,
            "y": y,
            "detail": {"field": "dyad"},
            "opacity": faded(max(0.22, min(0.7, 25.0 / max(lines, 1) ** 0.9))),
            "strokeWidth": widened(0.8),
            "tooltip": tooltip(("dyad", "Dyad")),
        },
    }
