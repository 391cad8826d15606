"""The outcome's expected course where convergence, or alliance development, is low, average and high."""

from __future__ import annotations

import polars as pl

from dyadline.report.document import Figure
from dyadline.report.figures.axes import (
    INK,
    TIME,
    VALUE,
    AxisTitles,
    Spec,
    chart,
    short,
    time_axis,
    tooltip,
    value_axis,
)
from dyadline.report.labels import model_words, name
from dyadline.report.numbers import decimals_of_spread, number

LEVELS = {1.0: "One SD above the mean", 0.0: "Mean", -1.0: "One SD below the mean"}
COLOURS = ("#B2560D", INK, "#11698E")
DASHES = ([7, 3], [1, 0], [2, 2])

BANDS = {
    "satterthwaite": "Satterthwaite's degrees of freedom",
    "kenward-roger": "Kenward and Roger's standard errors and degrees of freedom",
    "normal": "normal distribution",
}


def expected_courses(frame: pl.DataFrame, times: pl.Series, *, titles: AxisTitles, freedom: str) -> Figure | None:
    """Expected outcome over time, one panel per predictor; ``None`` where there is nothing to draw.

    Parameters
    ----------
    frame
        The table ``trajectories`` of a result.
    times
        Occasions with an outcome, which get a tick.
    titles
        Of the axes.
    freedom
        Degrees of freedom of the bands, as the plan has them.
    """
    if frame.is_empty():
        return None
    values = [
        {
            "level": LEVELS[r["sds"]],
            "predictor": r["predictor"],
            "x": short(r["time"]),
            "y": short(r["estimate"]),
            "low": short(r["conf_low"]),
            "high": short(r["conf_high"]),
        }
        for r in frame.iter_rows(named=True)
    ]
    x, y = time_axis(times, titles.time), value_axis(values, titles.outcome, fields=("y", "low", "high"))
    shown = frame["predictor"].unique(maintain_order=True).to_list()
    panels = [_panel([v for v in values if v["predictor"] == p], name(p), x, y) for p in shown]
    words = " and ".join(name(p).lower() for p in shown)
    model = model_words(frame["model"][0])[0]
    return Figure(
        key="expected-courses",
        caption=f"Outcome over time as {model} expects it where {words} "
        f"{'lie' if len(shown) > 1 else 'lies'} one standard deviation below, at and above the mean over dyads, all "
        f"other predictors at their means. Bands: 95% confidence, pointwise ({BANDS[freedom]}).",
        alt=f"Three lines with bands over {titles.time} in each panel. {_in_words(frame)}",
        spec=chart({"concat": panels, "columns": 2, "spacing": 75, "bounds": "flush"}),
    )


def _panel(values: list[Spec], title: str, x: Spec, y: Spec) -> Spec:
    levels = list(LEVELS.values())
    field: Spec = {"field": "level", "type": "nominal"}
    colour = {**field, "scale": {"domain": levels, "range": list(COLOURS)}, "legend": _LEGEND}
    dash = {**field, "scale": {"domain": levels, "range": list(DASHES)}, "legend": _LEGEND}
    return {
        "title": title,
        "width": 330,
        "height": 240,
        "data": {"values": values},
        "layer": [
            {
                "mark": {"type": "area", "opacity": 0.13},
                "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
            },
            {
                "mark": {"type": "line", "strokeWidth": 2.2},
                "encoding": {"x": x, "y": y, "color": colour, "strokeDash": dash},
            },
            {
                "mark": {"type": "point", "size": 150, "opacity": 0, "filled": True},
                "encoding": {
                    "x": x,
                    "y": y,
                    "color": colour,
                    "tooltip": tooltip(
                        ("level", title),
                        ("x", x["title"], TIME),
                        ("y", "Expected outcome", VALUE),
                        ("low", "95% confidence, from", VALUE),
                        ("high", "to", VALUE),
                    ),
                },
            },
        ],
    }


_LEGEND: Spec = {"symbolType": "stroke", "symbolSize": 700, "symbolStrokeWidth": 2.2, "symbolOpacity": 1}


def _in_words(frame: pl.DataFrame) -> str:
    said = []
    ends = frame.filter((pl.col("t") == pl.col("t").min()) | (pl.col("t") == pl.col("t").max()))
    for (predictor, sds), part in ends.group_by(["predictor", "sds"], maintain_order=True):
        d = decimals_of_spread(*part["std_error"])
        first, last = (number(value, d) for value in part.sort("t")["estimate"])
        said.append(f"{name(str(predictor))}, {LEVELS[float(str(sds))].lower()}: from {first} to {last}.")
    return " ".join(said)
