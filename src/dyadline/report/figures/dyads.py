"""Figures as Vega-Lite specifications with their data inside: no address, no dyad's name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from dyadline.report.document import Figure
from dyadline.report.figures.axes import (
    GREY,
    INK,
    PATIENT,
    RATERS,
    THERAPIST,
    Spec,
    chart,
    lines_panel,
    rater_scales,
    smallest_step,
    time_axis,
    value_axis,
)
from dyadline.report.numbers import number, p_value, proportion

MOST_LINES = 200
"""Individual lines in one panel: more would be a stain and a large file."""


def two_raters(descriptives: pl.DataFrame, *, time: str) -> Figure:
    """Means of both raters with 95 % confidence intervals, and lines at ±1 SD (the paper's Figures 1 and 2)."""
    from scipy.special import stdtrit

    rated = descriptives.filter(pl.col("variable") != "outcome")["time"]
    # Beside each other, so that the bars can be told apart, but never far from the occasion's tick.
    apart = min(0.06 * smallest_step(rated), 0.01 * (float(rated.max() - rated.min()) or 1.0))  # type: ignore[operator,arg-type]
    values = []
    for variable, rater, aside in (("patient_rating", "Patient", -1), ("therapist_rating", "Therapist", 1)):
        for r in descriptives.filter(pl.col("variable") == variable).sort("time").iter_rows(named=True):
            if not r["n"]:
                continue
            sd = r["sd"] if r["sd"] is not None and math.isfinite(r["sd"]) else 0.0
            reach = float(stdtrit(r["n"] - 1, 0.975)) * sd / math.sqrt(r["n"]) if r["n"] > 1 else 0.0
            mean = r["mean"]
            values.append(
                {
                    "rater": rater,
                    "x": r["time"] + aside * apart,
                    "mean": mean,
                    "low": mean - reach,
                    "high": mean + reach,
                    "below": mean - sd,
                    "above": mean + sd,
                }
            )
    x = time_axis(rated, time)
    y: Spec = {"type": "quantitative", "scale": {"zero": False, "nice": True}, "title": "Alliance rating"}
    colour, dash, shape = rater_scales()
    sd_line: Spec = {"type": "line", "strokeWidth": 1.2, "strokeDash": [1.5, 3], "opacity": 0.9}
    layers: list[Spec] = [
        {"mark": sd_line, "encoding": {"x": x, "y": {**y, "field": edge}, "color": colour}}
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
            "encoding": {"x": x, "y": {**y, "field": "mean"}, "color": colour, "shape": shape},
        },
    ]
    return Figure(
        key="two-raters",
        caption="Mean alliance by rater and occasion. Bars: 95% confidence interval of the mean; thin dotted lines: "
        "one standard deviation above and below the mean.",
        alt=f"Line chart of mean alliance ratings over {time}, patients and therapists. {_means_in_words(values)}",
        spec=chart({"data": {"values": values}, "width": 680, "height": 330, "layer": layers}),
    )


def _means_in_words(values: Sequence[Mapping[str, Any]]) -> str:
    said = []
    for rater in RATERS:
        means = [v["mean"] for v in values if v["rater"] == rater]
        if means:
            said.append(f"{rater}s: from {number(means[0])} at the first occasion to {number(means[-1])} at the last.")
    return " ".join(said)


def rating_curves(rows: pl.DataFrame, curves: pl.DataFrame | None, *, time: str) -> Figure:
    """Raw ratings of each dyad, and the curves estimated from them, one panel per rater.

    Parameters
    ----------
    rows
        ``dyad, time, t, patient_rating, therapist_rating``.
    curves
        ``dyad, rater, intercept, slope`` in t, or ``None``.
    time
        What an occasion is called in the data.
    """
    chosen, shown = _some_dyads(rows)
    rows = rows.filter(pl.col("dyad").is_in(chosen))
    number_of = {dyad: place for place, dyad in enumerate(chosen)}
    rated = rows.filter(pl.any_horizontal(pl.col("patient_rating", "therapist_rating").is_not_null()))
    x = time_axis(rated["time"], time)
    colours = (PATIENT, THERAPIST)
    series = {
        f"{rater}: ratings": (_series(rated, f"{rater.lower()}_rating", number_of), colour)
        for rater, colour in zip(RATERS, colours, strict=True)
    }
    if curves is not None:
        ends = _curve_ends(rated, curves)
        for rater, colour in zip(RATERS, colours, strict=True):
            of_rater = ends.filter(pl.col("rater") == rater.lower())
            series[f"{rater}: estimated curves"] = (_series(of_rater, "height", number_of), colour)
    y = value_axis([v for values, _ in series.values() for v in values], "Alliance rating")
    panels = [lines_panel(values, title, colour, x, y) for title, (values, colour) in series.items()]
    what = "Ratings of each dyad" + (
        " (top) and the growth curves estimated from them (bottom)" if len(panels) > 2 else ""
    )
    return Figure(
        key="rating-curves",
        caption=f"{what}, patients on the left, therapists on the right. {shown}",
        alt=f"{what}, one thin line per dyad over {time}, one panel per rater.",
        spec=chart({"concat": panels, "columns": 2, "spacing": 26}),
    )


def outcome_curves(rows: pl.DataFrame, *, time: str) -> Figure:
    """Outcome of each dyad as observed and as an ordinary least squares line, with the mean by occasion."""
    chosen, shown = _some_dyads(rows)
    means = rows.group_by("time").agg(y=pl.col("outcome").mean()).drop_nulls().sort("time")
    mean = [{"x": x, "y": y} for x, y in means.iter_rows()]
    rows = rows.filter(pl.col("dyad").is_in(chosen)).drop_nulls("outcome")
    number_of = {dyad: place for place, dyad in enumerate(chosen)}
    lines = (
        rows.group_by("dyad", maintain_order=True)
        .agg(
            slope=pl.cov("time", "outcome") / pl.col("time").var(),
            mean_time=pl.col("time").mean(),
            mean=pl.col("outcome").mean(),
            first=pl.col("time").min(),
            last=pl.col("time").max(),
        )
        .filter(pl.col("slope").is_finite())
        .unpivot(["first", "last"], index=["dyad", "slope", "mean_time", "mean"], value_name="time")
        .with_columns(height=pl.col("mean") + pl.col("slope") * (pl.col("time") - pl.col("mean_time")))
    )
    observed, straight = _series(rows, "outcome", number_of), _series(lines, "height", number_of)
    x, y = time_axis(rows["time"], time), value_axis(observed + straight, "Outcome")
    panels = [
        lines_panel(observed, "As observed", GREY, x, y, mean=mean),
        lines_panel(straight, "Least squares lines", GREY, x, y),
    ]
    return Figure(
        key="outcome-curves",
        caption=f"Outcome of each dyad as observed, with the mean by occasion (heavy line), and the ordinary least "
        f"squares line through each dyad's values. {shown}",
        alt=f"Outcome over {time}, one thin line per dyad: observed values on the left, straight lines on the right.",
        spec=chart({"concat": panels, "columns": 2, "spacing": 26}),
    )


def mean_discrepancy(discrepancies: pl.DataFrame, *, time: str, kind: str) -> Figure:
    """Mean discrepancy by occasion with its 95 % confidence interval; `kind` says of what, in words."""
    from scipy.special import stdtrit

    values = []
    by_time = discrepancies.group_by("time").agg(
        n=pl.col("discrepancy").count(), mean=pl.col("discrepancy").mean(), sd=pl.col("discrepancy").std()
    )
    for moment, n, mean, sd in by_time.sort("time").iter_rows():
        reach = float(stdtrit(n - 1, 0.975)) * sd / math.sqrt(n) if n > 1 else 0.0
        values.append({"x": moment, "mean": mean, "low": mean - reach, "high": mean + reach})
    x = time_axis(by_time["time"], time)
    y: Spec = {
        "type": "quantitative",
        "title": f"{kind[:1].upper()}{kind[1:]}".split(" between")[0],
        "scale": {"zero": True},
    }
    layers: list[Spec] = [
        {"mark": {"type": "area", "color": GREY, "opacity": 0.25}, "encoding": {"y2": {"field": "high"}}},
        {"mark": {"type": "line", "color": INK, "strokeWidth": 2}, "encoding": {}},
        {"mark": {"type": "point", "color": INK, "filled": True, "size": 45, "opacity": 1}, "encoding": {}},
    ]
    for layer, field in zip(layers, ("low", "mean", "mean"), strict=True):
        layer["encoding"] |= {"x": x, "y": {**y, "field": field}}
    ends = (
        f"From {number(values[0]['mean'])} at the first to {number(values[-1]['mean'])} at the last occasion."
        if values
        else ""
    )
    return Figure(
        key="mean-discrepancy",
        caption=f"Mean {kind} by occasion, with its 95% confidence interval.",
        alt=f"Line chart of the mean {kind} over {time}. {ends}",
        spec=chart({"data": {"values": values}, "width": 680, "height": 220, "layer": layers}),
    )


def score_histograms(scores: pl.DataFrame, normality: pl.DataFrame, *, transformed: bool) -> Figure:
    """The convergence score before and after its transform, with skewness and Shapiro–Wilk test."""
    tests = {r["stage"]: r for r in normality.iter_rows(named=True)}
    stages = [("before", "convergence_raw", "Before the transform"), ("after", "convergence", "After the transform")]
    panels = [
        _histogram(scores[column], title, tests.get(stage))
        for stage, column, title in (stages if transformed else stages[:1])
    ]
    what = "before and after its transform" if transformed else "(not transformed)"
    return Figure(
        key="score-histograms",
        caption=f"Distribution of the convergence score over dyads, {what}.",
        alt=f"Histogram of the convergence score {what}.",
        spec=chart({"concat": panels, "columns": 2, "spacing": 40}),
    )


def _histogram(scores: pl.Series, title: str, test: Mapping[str, Any] | None) -> Spec:
    x = scores.drop_nulls().drop_nans().to_numpy()
    heights, edges = np.histogram(x, bins=_bins(x))
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
    axis: Spec = {
        "type": "quantitative",
        "title": "Convergence score",
        "scale": {"zero": False},
        "axis": {"grid": False, "tickCount": 6, "labelFlush": False},
    }
    return {
        "title": {"text": title, "subtitle": said},
        "data": {"values": values},
        "width": 330,
        "height": 200,
        "mark": {"type": "rect", "color": "#9fb4c3", "stroke": "white", "strokeWidth": 0.7},
        "encoding": {
            "x": {**axis, "field": "from"},
            "x2": {"field": "to"},
            "y2": {"datum": 0},
            "y": {
                "field": "dyads",
                "type": "quantitative",
                "title": "Dyads",
                "axis": {"tickMinStep": 1, "tickCount": 5},
            },
        },
    }


def _bins(x: Any) -> int:
    """Freedman and Diaconis' number of bins, between 5 and 40."""
    if len(x) < 2 or np.ptp(x) == 0:
        return 1
    quarters = float(np.subtract(*np.percentile(x, [75, 25])))
    width = 2.0 * quarters / len(x) ** (1 / 3)
    return int(np.clip(math.ceil(np.ptp(x) / width) if width > 0 else 5, 5, 40))


def _some_dyads(rows: pl.DataFrame) -> tuple[list[str], str]:
    """Dyads to draw, evenly spread over the data, and a sentence if these are not all."""
    dyads = rows["dyad"].unique(maintain_order=True).to_list()
    if len(dyads) <= MOST_LINES:
        return dyads, ""
    places = np.linspace(0, len(dyads) - 1, MOST_LINES).round().astype(int)
    return [dyads[p] for p in places], f"Lines of {MOST_LINES} of the {len(dyads)} dyads, evenly spread over the file."


def _series(rows: pl.DataFrame, column: str, number_of: Mapping[str, int]) -> list[Spec]:
    """Points of lines, under a running number in place of the dyad's name."""
    return [
        {"i": number_of[dyad], "x": x, "y": round(y, 6)}
        for dyad, x, y in rows.select("dyad", "time", column).drop_nulls().iter_rows()
    ]


def _curve_ends(rated: pl.DataFrame, curves: pl.DataFrame) -> pl.DataFrame:
    """Both ends of each line, at the first and last occasion rated: ``dyad, rater, time, height``."""
    ends = rated.group_by("dyad").agg(
        pl.col("time").sort_by("t").first().alias("first"),
        pl.col("time").sort_by("t").last().alias("last"),
        pl.col("t").min().alias("t_first"),
        pl.col("t").max().alias("t_last"),
    )
    joined = curves.drop_nulls().join(ends, on="dyad", maintain_order="left")
    halves = [
        joined.select(
            "dyad", "rater", time=pl.col(end), height=pl.col("intercept") + pl.col("slope") * pl.col(f"t_{end}")
        )
        for end in ("first", "last")
    ]
    return pl.concat(halves)
