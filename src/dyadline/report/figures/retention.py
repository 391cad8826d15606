"""Figures of the description."""

from __future__ import annotations

import polars as pl

from dyadline.report.document import Figure
from dyadline.report.figures.axes import GREY, INK, TIME, Spec, chart, time_axis, tooltip
from dyadline.report.numbers import number

STILL_THERE, OBSERVED = "Still there", "Observed"


def retention_curve(attrition: pl.DataFrame, *, time: str) -> Figure:
    """Share of dyads still there at each occasion, and of those observed.

    Parameters
    ----------
    attrition
        ``clock, time, observed, last_seen, retention``.
    time
        What an occasion is called in the data.
    """
    in_order = (attrition["clock"] == "order").any()
    dyads = attrition["last_seen"].sum()
    values = [
        {"x": r["time"], "y": share, "what": what, "n": dyads}
        for r in attrition.iter_rows(named=True)
        for what, share in ((STILL_THERE, 100.0 * r["retention"]), (OBSERVED, 100.0 * r["observed"] / dyads))
    ]
    scale = {"domain": [STILL_THERE, OBSERVED]}
    field: Spec = {"field": "what", "type": "nominal"}
    x = time_axis(attrition["time"], "Occasion of the dyad" if in_order else time)
    y: Spec = {"field": "y", "type": "quantitative", "title": "% of dyads", "scale": {"domain": [0, 100]}}
    colour = {**field, "scale": {**scale, "range": [INK, GREY]}}
    layers: list[Spec] = [
        {
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {
                "x": x,
                "y": y,
                "color": colour,
                "strokeDash": {**field, "scale": {**scale, "range": [[1, 0], [5, 3]]}},
            },
        },
        {
            "mark": {"type": "point", "filled": True, "size": 45, "opacity": 1},
            "encoding": {
                "x": x,
                "y": y,
                "color": colour,
                "shape": {**field, "scale": {**scale, "range": ["circle", "square"]}},
                "tooltip": tooltip(("x", str(x["title"]), TIME), ("what", "Dyads"), ("y", "% of dyads", ".0f")),
            },
        },
    ]
    last = number(100.0 * float(attrition["retention"][-1]), 0)
    return Figure(
        key="retention",
        caption="Dyads still there (seen at the occasion or later) and dyads observed at it, in per cent of all with "
        "any value.",
        alt=f"Line chart of the share of dyads still there by occasion; {last} % were there at the last one.",
        spec=chart({"data": {"values": values}, "width": 680, "height": 200, "layer": layers}),
    )
