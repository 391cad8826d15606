"""The two raters' means by occasion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from dyadline.report.document import Figure
from dyadline.report.figures.aggregates import by_occasion, least_of, left_out, means, sentences
from dyadline.report.figures.axes import (
    COUNT,
    RATERS,
    TIME,
    VALUE,
    AxisTitles,
    Spec,
    chart,
    rater_scales,
    short,
    smallest_step,
    time_axis,
    tooltip,
    value_axis,
)
from dyadline.report.numbers import number


def two_raters(rows: pl.DataFrame, *, titles: AxisTitles) -> Figure | None:
    """Means of both raters with 95 % confidence intervals, and lines at ±1 SD (the paper's Figures 1 and 2).

    Parameters
    ----------
    rows
        ``dyad, time, patient_rating, therapist_rating``.
    titles
        Of the axes.

    Returns
    -------
    ``None`` if no occasion has enough dyads.
    """
    columns = [f"{rater.lower()}_rating" for rater in RATERS]
    rated, grouped = by_occasion(rows, *columns)
    least = least_of(rated["dyad"].n_unique())
    by_rater = {rater: means(rated, c, least=least) for rater, c in zip(RATERS, columns, strict=True)}
    times = pl.Series([m["x"] for found in by_rater.values() for m in found], dtype=pl.Float64)
    if times.is_empty():
        return None
    # Beside each other, so that the bars can be told apart, but never far from the occasion's tick.
    whole = float(np.ptp(times.to_numpy()))
    apart = min(0.06 * smallest_step(times), 0.01 * (whole or 1.0))
    values = [
        {
            **found,
            "rater": rater,
            "time": found["x"],
            "x": short(found["x"] + aside * apart),
            "below": short(found["mean"] - found["sd"]),
            "above": short(found["mean"] + found["sd"]),
        }
        for (rater, of_rater), aside in zip(by_rater.items(), (-1, 1), strict=True)
        for found in of_rater
    ]
    x = time_axis(times, titles.time, each=not grouped)
    y = value_axis(values, titles.ratings, fields=("mean", "low", "high", "below", "above"))
    colour, dash, shape = rater_scales()
    hint = tooltip(
        ("rater", "Rater"),
        ("time", titles.time, TIME),
        ("mean", "Mean", VALUE),
        ("low", "95% CI from", VALUE),
        ("high", "to", VALUE),
        ("sd", "SD", VALUE),
        ("n", "Dyads", COUNT),
    )
    alone = whole == 0.0
    layers: list[Spec] = [
        {
            "transform": [{"filter": f"datum.rater === '{rater}'"}],
            "mark": _sd_mark(rater, alone=alone),
            "encoding": {"x": x, "y": {**y, "field": edge}, "color": colour},
        }
        for rater in RATERS
        for edge in ("below", "above")
    ]
    layers += [
        {
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {"x": x, "y": {**y, "field": "mean"}, "color": colour, "strokeDash": dash},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 1.5},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
            "encoding": {"x": x, "y": {**y, "field": "mean"}, "color": colour, "shape": shape, "tooltip": hint},
        },
    ]
    return Figure(
        key="two-raters",
        caption=sentences(
            "Mean alliance by rater and occasion. Bars: 95% confidence interval of the mean; "
            f"{'ticks' if alone else 'thin broken lines'}: one standard deviation above and below the mean.",
            grouped,
            left_out(rated, columns, least=least),
        ),
        alt=f"Line chart of mean alliance ratings over {titles.time}, patients and therapists. "
        f"{_means_in_words(values)}",
        spec=chart({"data": {"values": values}, "width": 680, "height": 330, "layer": layers}),
    )


def _sd_mark(rater: str, *, alone: bool) -> Spec:
    """Of the lines at ±1 SD, which differ in grey too; a line over one occasion would not be seen."""
    if alone:
        return {"type": "tick", "orient": "horizontal", "size": 16, "thickness": 1.2}
    return {"type": "line", "strokeWidth": 1.2, "strokeDash": [1.5, 3] if rater == RATERS[0] else [6, 2.5, 1.5, 2.5]}


def _means_in_words(values: Sequence[Spec]) -> str:
    said = []
    for rater in RATERS:
        found = [v["mean"] for v in values if v["rater"] == rater]
        if found:
            said.append(f"{rater}s: from {number(found[0])} at the first occasion to {number(found[-1])} at the last.")
    return " ".join(said)
