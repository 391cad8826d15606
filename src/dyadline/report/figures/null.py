"""The mean scores of simulated studies without convergence, and the observed one among them."""

from __future__ import annotations

import numpy as np
import polars as pl

from dyadline.report.document import Figure
from dyadline.report.figures.aggregates import LEAST, round_edges
from dyadline.report.figures.axes import COUNT, INK, TIME, Spec, chart, short, tooltip
from dyadline.report.null import null_records, side
from dyadline.report.numbers import count

BARS, ROOM = "#9fb4c3", 1.15


def null_histogram(null: pl.DataFrame, means: pl.DataFrame) -> Figure | None:
    """Histogram of the simulated mean scores with their 95 % range and the observed mean.

    Parameters
    ----------
    null, means
        As `dyadline.scoring.null.null_tables` gives them.

    Returns
    -------
    ``None`` if fewer than five dyads have a score.
    """
    mean, dyad = null_records(null)
    if dyad["n_dyads"] < LEAST:
        return None
    x, observed = means["mean"].to_numpy(), float(mean["observed"])
    edges = round_edges(float(x.min()), float(x.max()), most=25)
    heights, _ = np.histogram(x, bins=edges)
    bars = [
        {"from": float(a), "to": float(b), "studies": int(n)}
        for a, b, n in zip(edges[:-1], edges[1:], heights, strict=True)
    ]
    width = float(edges[1] - edges[0])
    low, high = min(float(edges[0]), observed - width), max(float(edges[-1]), observed + width)
    across: Spec = {
        "type": "quantitative",
        "title": "Mean convergence score of a study",
        "scale": {"zero": False, "nice": False, "domain": [short(low), short(high)]},
        "axis": {"grid": False, "tickCount": 8, "labelFlush": False},
    }
    top = float(heights.max())
    up: Spec = {
        "type": "quantitative",
        "title": "Simulated studies",
        # Room for the name of the observed mean above bars and limits.
        "scale": {"domain": [0, ROOM * top]},
        "axis": {"tickMinStep": 1, "tickCount": 5},
    }
    limits: list[Spec] = [{"limit": short(mean[key])} for key in ("q2_5", "q97_5")]
    to_the_right = observed < (low + high) / 2.0
    layers: list[Spec] = [
        {
            "data": {"values": bars},
            "mark": {"type": "rect", "color": BARS, "stroke": "white", "strokeWidth": 0.7},
            "encoding": {
                "x": {**across, "field": "from"},
                "x2": {"field": "to"},
                "y": {**up, "field": "studies"},
                "y2": {"datum": 0},
                "tooltip": tooltip(("from", "From", TIME), ("to", "to", TIME), ("studies", "Simulated studies", COUNT)),
            },
        },
        {
            "data": {"values": limits},
            "mark": {"type": "rule", "color": INK, "strokeWidth": 1.2, "strokeDash": [5, 3]},
            "encoding": {
                "x": {**across, "field": "limit"},
                "y": {**up, "datum": 0},
                "y2": {"datum": 1.03 * top},
                "tooltip": tooltip(("limit", "End of the 95% range", ",.4f")),
            },
        },
        {
            "data": {"values": [{"observed": short(observed)}]},
            "mark": {"type": "rule", "color": INK, "strokeWidth": 2.5},
            "encoding": {
                "x": {**across, "field": "observed"},
                "tooltip": tooltip(("observed", "Observed mean", ",.4f")),
            },
        },
        {
            "data": {"values": [{"observed": short(observed)}]},
            "mark": {
                "type": "text",
                "text": "Observed mean",
                "color": INK,
                "fontSize": 12,
                "align": "left" if to_the_right else "right",
                "baseline": "top",
                "dx": 6 if to_the_right else -6,
            },
            "encoding": {"x": {**across, "field": "observed"}, "y": {**up, "datum": ROOM * top}},
        },
    ]
    where = {0: "within", 1: "above", -1: "below"}[side(mean)]
    studies = count(mean["n"])
    return Figure(
        key="null-distribution",
        caption=f"Mean convergence scores (before any transform) of {studies} simulated studies in which no dyad's "
        "true gap changed. Solid line: observed mean; dashed lines: ends of the middle 95% of the simulated means.",
        alt=f"Histogram of the mean scores of {studies} simulated studies without convergence; the observed mean is "
        f"marked and lies {where} the middle 95% of them.",
        spec=chart({"width": 520, "height": 220, "layer": layers}),
    )
