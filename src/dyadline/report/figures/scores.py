"""The convergence score over dyads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from dyadline.report.document import Figure
from dyadline.report.figures.aggregates import LEAST, round_edges
from dyadline.report.figures.axes import COUNT, INK, TIME, Spec, chart, short, tooltip
from dyadline.report.numbers import number, p_value, proportion


def score_histograms(scores: pl.DataFrame, normality: pl.DataFrame, *, transformed: bool) -> Figure | None:
    """The convergence score before and after its transform, with skewness and Shapiro–Wilk test.

    Parameters
    ----------
    scores
        ``convergence_raw, convergence``.
    normality
        ``stage`` (before, after), ``skewness, shapiro_w, shapiro_p``.
    transformed
        Whether there is a transform.

    Returns
    -------
    ``None`` if fewer than five dyads have a score.
    """
    if scores["convergence"].count() < LEAST:
        return None
    tests = {r["stage"]: r for r in normality.iter_rows(named=True)}
    stages = [("before", "convergence_raw", "Before the transform"), ("after", "convergence", "After the transform")]
    if not transformed:
        stages = [("before", "convergence_raw", "Not transformed")]
    panels = [_histogram(scores[column], title, tests.get(stage)) for stage, column, title in stages]
    what = "before and after its transform" if transformed else "(not transformed)"
    return Figure(
        key="score-histograms",
        caption=f"Distribution of the convergence score over dyads, {what}. "
        "Curve: normal distribution with the same mean and standard deviation.",
        alt=f"Histogram of the convergence score {what}, with a normal curve.",
        spec=chart({"concat": panels, "columns": 2, "spacing": 40}),
    )


def _histogram(scores: pl.Series, title: str, test: Mapping[str, Any] | None) -> Spec:
    x = scores.drop_nulls().drop_nans().to_numpy()
    # Edges are round numbers: the lowest and the highest score are those of a dyad.
    edges = round_edges(float(x.min()), float(x.max()), most=_bins(x))
    heights, _ = np.histogram(x, bins=edges)
    values = [
        {"from": float(a), "to": float(b), "dyads": int(n)}
        for a, b, n in zip(edges[:-1], edges[1:], heights, strict=True)
    ]
    said = ""
    if test is not None:
        said = f"skewness {number(test['skewness'])}"
        if test["shapiro_w"] is not None:
            p = p_value(test["shapiro_p"])
            p = p if p[0] in "<>" else f"= {p}"
            said += f"; W = {proportion(test['shapiro_w'], 3)}, p {p}"
    across: Spec = {
        "type": "quantitative",
        "title": "Convergence score",
        "scale": {"zero": False, "nice": False, "domain": [values[0]["from"], values[-1]["to"]]},
        "axis": {"grid": False, "tickCount": 6, "labelFlush": False},
    }
    normal = _normal(x, edges)
    highest = max([float(heights.max()), *(v["y"] for v in normal)])
    up: Spec = {
        "field": "dyads",
        "type": "quantitative",
        "title": "Dyads",
        "scale": {"domain": [0, highest], "nice": 5},
        "axis": {"tickMinStep": 1, "tickCount": 5},
    }
    bars: Spec = {
        "data": {"values": values},
        "mark": {"type": "rect", "color": "#9fb4c3", "stroke": "white", "strokeWidth": 0.7},
        "encoding": {
            "x": {**across, "field": "from"},
            "x2": {"field": "to"},
            "y2": {"datum": 0},
            "y": up,
            "tooltip": tooltip(("from", "From", TIME), ("to", "to", TIME), ("dyads", "Dyads", COUNT)),
        },
    }
    curve: Spec = {
        "data": {"values": normal},
        "mark": {"type": "line", "color": INK, "strokeWidth": 1.5, "strokeDash": [5, 3]},
        "encoding": {"x": {**across, "field": "x"}, "y": {**up, "field": "y"}},
    }
    return {
        "title": {"text": title, "subtitle": said},
        "width": 310,
        "height": 200,
        "layer": [bars, curve] if np.ptp(x) > 0 else [bars],
    }


def _normal(x: Any, edges: Any) -> list[Spec]:
    """Expected number of dyads per bin: the normal density with the mean and SD of the scores."""
    mean, sd, width = float(np.mean(x)), float(np.std(x, ddof=1)), float(edges[1] - edges[0])
    most = len(x) * width / (sd * math.sqrt(2.0 * math.pi)) if sd else 0.0
    return [
        {"x": short(at), "y": short(most * math.exp(-0.5 * ((at - mean) / sd) ** 2)), "n": len(x)}
        for at in np.linspace(edges[0], edges[-1], 61)
        if sd
    ]


def _bins(x: Any) -> int:
    """Freedman and Diaconis' number of bins, between 5 and 40."""
    if len(x) < 2 or np.ptp(x) == 0:
        return 5
    quarters = float(np.subtract(*np.percentile(x, [75, 25])))
    width = 2.0 * quarters / len(x) ** (1 / 3)
    return int(np.clip(math.ceil(np.ptp(x) / width) if width > 0 else 5, 5, 40))
