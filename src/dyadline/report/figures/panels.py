"""Small multiples: both raters of single dyads, or of thirds of the dyads, with the gap between them shaded."""

from __future__ import annotations

import numpy as np
import polars as pl

from dyadline.report.document import Figure
from dyadline.report.figures.aggregates import LEAST, by_occasion, left_out, means, sentences
from dyadline.report.figures.axes import (
    AS_IT_IS,
    COUNT,
    GREY,
    RATERS,
    TIME,
    VALUE,
    AxisTitles,
    Spec,
    chart,
    faded,
    individual_chart,
    rater_scales,
    short,
    time_axis,
    tooltip,
    value_axis,
    widened,
)
from dyadline.report.figures.discrepancy import discrepancy_title, mean_layers
from dyadline.report.figures.spaghetti import with_curves
from dyadline.report.numbers import count, number

MOST_PANELS = 24
"""Dyads in small multiples: four rows of six."""

GROUPS = {1: ("All dyads",), 2: ("Lower half", "Upper half"), 3: ("Lowest third", "Middle third", "Highest third")}


def dyad_panels(
    rows: pl.DataFrame,
    curves: pl.DataFrame | None,
    scores: pl.DataFrame,
    pseudonyms: pl.DataFrame,
    *,
    titles: AxisTitles,
) -> Figure | None:
    """A panel per dyad: both raters' ratings and curves, the gap shaded, the convergence score as its title.

    Parameters
    ----------
    rows
        ``dyad, time, t, patient_rating, therapist_rating``.
    curves
        ``dyad, rater, intercept, slope`` in t; ``None`` joins the ratings themselves.
    scores
        ``dyad, convergence``.
    pseudonyms
        ``dyad, pseudonym``.
    titles
        Of the axes.

    Returns
    -------
    ``None`` if no dyad has a score.
    """
    rated = with_curves(rows, curves)
    scored = scores.drop_nulls("convergence").join(pseudonyms, on="dyad").sort("convergence", "pseudonym")
    scored = scored.filter(pl.col("dyad").is_in(rated["dyad"].unique().implode()))
    if scored.is_empty():
        return None
    total = scored.height
    places = np.unique(np.linspace(0, total - 1, min(total, MOST_PANELS)).round().astype(int))
    scored = scored[places].with_columns(
        panel=pl.Series([f"{p}: {number(s)}" for p, s in scored[places].select("pseudonym", "convergence").rows()])
    )
    values = _panel_rows(rated.join(scored.select("dyad", "pseudonym", "panel"), on="dyad"), curved=curves is not None)
    x = time_axis(pl.Series([v["x"] for v in values]), titles.time)
    x["axis"] = {
        "grid": False,
        "labelOverlap": "greedy",
        "labelExpr": AS_IT_IS,
        "tickCount": 4,
        "titleLimit": 100,
    }
    known = sorted({v["x"] for v in values})
    if len(known) <= 5:
        x["axis"]["values"] = known
    y = value_axis(values, "Rating", fields=("rating", "line", "other"))
    y["axis"] = {"tickCount": 4}
    colour, dash, shape = rater_scales()
    hint = tooltip(
        ("dyad", "Dyad"),
        ("rater", "Rater"),
        ("x", titles.time, TIME),
        ("rating", "Rating", VALUE),
        ("line", "Curve", VALUE),
    )
    layers: list[Spec] = [
        {
            "transform": [{"filter": "isValid(datum.other) && isValid(datum.line)"}],
            "mark": {"type": "area", "color": GREY},
            "encoding": {
                "x": x,
                "y": {**y, "field": "line"},
                "y2": {"field": "other"},
                "opacity": faded(0.28, lit=0.28),
            },
        },
        {
            "transform": [{"filter": "isValid(datum.line)"}],
            "mark": {"type": "line"},
            "encoding": {
                "x": x,
                "y": {**y, "field": "line"},
                "color": colour,
                "strokeDash": dash,
                "opacity": faded(1.0),
                "strokeWidth": widened(1.6),
            },
        },
        {
            "transform": [{"filter": "isValid(datum.rating)"}],
            "mark": {"type": "point", "filled": True, "size": 14},
            "encoding": {
                "x": x,
                "y": {**y, "field": "rating"},
                "color": colour,
                "shape": shape,
                "opacity": faded(0.75),
                "tooltip": hint,
            },
        },
    ]
    few = f" {count(len(places))} of {count(total)} dyads, evenly spread over the order of their scores." * (
        len(places) < total
    )
    lines = "growth curves (lines)" if curves is not None else "ratings, joined"
    return Figure(
        key="dyad-panels",
        caption=f"Ratings (points) and {lines} of single dyads, the gap between the two shaded. Above each panel: "
        f"pseudonym and convergence score; sorted by it, from the least to the most convergence.{few}",
        alt=f"{len(places)} small panels, one per dyad, with the patient's and the therapist's ratings over "
        f"{titles.time}, sorted by convergence.",
        spec=individual_chart(
            {
                "data": {"values": values},
                "facet": {
                    "field": "panel",
                    "type": "nominal",
                    "sort": scored["panel"].to_list(),
                    "header": {"title": None, "labelFontSize": 11.5, "labelPadding": 3},
                },
                "columns": min(6, len(places)),
                "spacing": 12,
                "spec": {"width": 96, "height": 84, "layer": layers},
            }
        ),
        individual=True,
    )


def _panel_rows(rated: pl.DataFrame, *, curved: bool) -> list[Spec]:
    """Rows ``dyad, panel, rater, x, rating, line``, and with the patient's ``other``: the therapist's line."""
    kind = "curve" if curved else "rating"
    found = []
    for r in rated.sort("pseudonym", "time").iter_rows(named=True):
        for rater in RATERS:
            row = {"dyad": r["pseudonym"], "panel": r["panel"], "rater": rater, "x": r["time"]}
            known = {"rating": r[f"{rater.lower()}_rating"], "line": r[f"{rater.lower()}_{kind}"]}
            if rater == RATERS[0]:
                known["other"] = r[f"therapist_{kind}"]
            found.append(row | {k: short(v) for k, v in known.items() if v is not None})
    return found


def convergence_groups(
    rows: pl.DataFrame,
    curves: pl.DataFrame | None,
    scores: pl.DataFrame,
    discrepancies: pl.DataFrame,
    *,
    titles: AxisTitles,
    kind: str,
) -> Figure | None:
    """Both raters' mean curves by thirds of convergence, the gap shaded, and the mean discrepancy of the same dyads.

    A mean of curves hides discrepancies where in some dyads the patient and in others the therapist rates higher;
    the second row of panels does not.

    Parameters
    ----------
    rows
        ``dyad, time, t, patient_rating, therapist_rating``.
    curves
        ``dyad, rater, intercept, slope`` in t; ``None`` takes means of the ratings.
    scores
        ``dyad, convergence``.
    discrepancies
        ``dyad, time, discrepancy``.
    titles
        Of the axes.
    kind
        Which discrepancy, in words.

    Returns
    -------
    ``None`` if fewer than five dyads have a score; halves or all dyads take the place of thirds where a third would
    have fewer than five.
    """
    scored = scores.drop_nulls("convergence").sort("convergence", "dyad")
    number_of_groups = min(3, scored.height // LEAST)
    if not number_of_groups:
        return None
    places = np.arange(scored.height) * number_of_groups // scored.height
    sizes = np.bincount(places)
    average = [scored["convergence"].filter(pl.Series(places == g)).mean() for g in range(number_of_groups)]
    names = [
        f"{name} (n = {size}): mean {number(mean)}"  # type: ignore[arg-type]
        for name, size, mean in zip(GROUPS[number_of_groups], sizes, average, strict=True)
    ]
    group_of = scored.select("dyad", group=pl.Series([names[g] for g in places]))
    rated = with_curves(rows, curves)
    columns = [f"{rater.lower()}_rating" for rater in RATERS]
    by_time, grouped = by_occasion(rated, *columns, groups=number_of_groups)
    gaps_by_time, gaps_grouped = by_occasion(discrepancies, "discrepancy", groups=number_of_groups)
    by_time, gaps_by_time = by_time.join(group_of, on="dyad"), gaps_by_time.join(group_of, on="dyad")
    if curves is None:
        ratings = _rating_rows(by_time, names)
    else:
        shared = by_time.filter(pl.col("dyad").n_unique().over("time") >= LEAST)["time"].unique()
        ratings = _line_rows(_in_model_time(shared, rated), curves.drop_nulls().join(group_of, on="dyad"), names)
    gaps = [
        {"group": name, **m}
        for name in names
        for m in means(gaps_by_time.filter(pl.col("group") == name), "discrepancy")
    ]
    if not ratings and not gaps:
        return None
    x = time_axis(pl.Series([v["x"] for v in (*ratings, *gaps)]), titles.time, each=not (grouped or gaps_grouped))
    x["axis"] = {**x["axis"], "titleLimit": 210}
    above = _ratings_layers(ratings, x, titles)
    below = _gap_layers(gaps, x, discrepancy_title(kind), said=titles.time)
    header: Spec = {"title": None, "labelLimit": 215, "labelPadding": 4}
    facets = [
        {
            "data": {"values": values},
            "facet": {"field": "group", "type": "nominal", "sort": names, "header": header},
            "columns": number_of_groups,
            "spacing": 16,
            "spec": {"width": 205, "height": 165, "layer": layers},
        }
        for values, layers in ((ratings, above), (gaps, below))
        if values
    ]
    by = {1: "", 2: " by halves of the convergence score", 3: " by thirds of the convergence score"}[number_of_groups]
    what = "Mean growth curves" if curves is not None else "Mean ratings"
    return Figure(
        key="convergence-groups",
        caption=sentences(
            f"{what} of both raters{by}, the gap between them shaded (top), and mean {kind} with its 95% confidence "
            "interval in the same dyads (bottom); n: dyads, mean: of their score. Where patients rate higher in some "
            "dyads and therapists in others, mean curves lie nearer to each other than the two of a dyad.",
            grouped or gaps_grouped,
            _few(gaps_by_time, names),
        ),
        alt=f"{what} of patients and therapists over {titles.time}{by}, and below them the mean {kind}.",
        spec=chart({"vconcat": facets, "spacing": 18}),
    )


def _few(values: pl.DataFrame, names: list[str]) -> str:
    left = [left_out(values.filter(pl.col("group") == name), ["discrepancy"]) for name in names]
    return f"Occasions with fewer than {LEAST} dyads of a group are left out." if any(left) else ""


def _in_model_time(times: pl.Series, rows: pl.DataFrame) -> list[tuple[float, float]]:
    """First and last of some times, each with the model's time of it."""
    if times.is_empty():
        return []
    known = rows.select("time", "t").sort("time")[[0, -1]].to_numpy()
    (time, t), (_, per) = known[0], np.diff(known, axis=0)[0]
    whole = float(known[1, 0] - time)
    ends = sorted({float(times.min()), float(times.max())})  # type: ignore[arg-type]
    return [(end, float(t + (end - time) * (per / whole if whole else 0.0))) for end in ends]


def _line_rows(ends: list[tuple[float, float]], curves: pl.DataFrame, names: list[str]) -> list[Spec]:
    """Both ends of the mean of all dyads' curves, which drop-out does not bend; rows as in `_rating_rows`."""
    found = []
    for name in names:
        mean = pl.col("intercept", "slope").mean()
        lines = curves.filter(pl.col("group") == name).group_by("rater").agg(pl.len(), mean)
        by_rater = {rater: rest for rater, *rest in lines.filter(pl.col("len") >= LEAST).rows()}
        for time, t in ends:
            heights = {rater: (n, short(intercept + slope * t)) for rater, (n, intercept, slope) in by_rater.items()}
            found += _both(name, time, heights)
    return found


def _rating_rows(values: pl.DataFrame, names: list[str]) -> list[Spec]:
    """Means of the ratings: ``group, rater, x, n, mean``, and with the patients' ``other``: the therapists' mean."""
    found = []
    for name in names:
        part = values.filter(pl.col("group") == name)
        by_rater = {
            r.lower(): {m["x"]: (m["n"], m["mean"]) for m in means(part, f"{r.lower()}_rating")} for r in RATERS
        }
        for time in sorted({x for of_rater in by_rater.values() for x in of_rater}):
            found += _both(name, time, {rater: of[time] for rater, of in by_rater.items() if time in of})
    return found


def _both(name: str, time: float, heights: dict[str, tuple[int, float]]) -> list[Spec]:
    found = []
    for rater in RATERS:
        if rater.lower() not in heights:
            continue
        n, mean = heights[rater.lower()]
        row = {"group": name, "rater": rater, "x": time, "n": n, "mean": mean}
        if rater == RATERS[0] and "therapist" in heights:
            row["other"] = heights["therapist"][1]
        found.append(row)
    return found


def _ratings_layers(values: list[Spec], x: Spec, titles: AxisTitles) -> list[Spec]:
    y = value_axis(values, titles.ratings, fields=("mean", "other"))
    y["axis"] = {"titleLimit": 190, "tickCount": 5}
    colour, dash, shape = rater_scales()
    hint = tooltip(("rater", "Rater"), ("x", titles.time, TIME), ("mean", "Mean", VALUE), ("n", "Dyads", COUNT))
    return [
        {
            "transform": [{"filter": "isValid(datum.other)"}],
            "mark": {"type": "area", "color": GREY, "opacity": 0.28},
            "encoding": {"x": x, "y": {**y, "field": "mean"}, "y2": {"field": "other"}},
        },
        {
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {"x": x, "y": {**y, "field": "mean"}, "color": colour, "strokeDash": dash},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 36, "opacity": 1},
            "encoding": {"x": x, "y": {**y, "field": "mean"}, "color": colour, "shape": shape, "tooltip": hint},
        },
    ]


def _gap_layers(values: list[Spec], x: Spec, title: str, *, said: str) -> list[Spec]:
    y = value_axis([*values, {"mean": 0.0}], title, fields=("mean", "low", "high"))
    y["axis"] = {"titleLimit": 190, "tickCount": 5}
    layers = mean_layers(values, x, y, said=said)
    return [{k: v for k, v in layer.items() if k != "data"} for layer in layers]
