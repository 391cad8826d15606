"""The outcome of the dyads, observed and as least squares lines."""

from __future__ import annotations

import polars as pl

from dyadline.report.document import Figure
from dyadline.report.figures.aggregates import bands_panel, by_occasion, left_out, quantiles, sentences
from dyadline.report.figures.axes import (
    GREY,
    AxisTitles,
    Spec,
    chart,
    individual_chart,
    lines_panel,
    time_axis,
    value_axis,
)
from dyadline.report.figures.spaghetti import QUANTILES, points, some_dyads, tails

PANELS = {"outcome": "As observed", "line": "Least squares lines"}


def outcome_curves(rows: pl.DataFrame, *, titles: AxisTitles, pseudonyms: pl.DataFrame | None = None) -> Figure | None:
    """Outcome of the dyads as observed, and the ordinary least squares line through each dyad's values.

    Parameters
    ----------
    rows
        ``dyad, time, outcome``.
    titles
        Of the axes.
    pseudonyms
        ``dyad, pseudonym``: draw a line per dyad under these; ``None`` draws quantiles over dyads.

    Returns
    -------
    ``None`` if no occasion has enough dyads.
    """
    there = rows.drop_nulls("outcome").with_columns(line=_least_squares())
    if pseudonyms is None:
        values, grouped = by_occasion(there, *PANELS)
        found = {column: quantiles(values, column) for column in PANELS}
        said = sentences(
            tails([v for of_panel in found.values() for v in of_panel]), grouped, left_out(values, list(PANELS))
        )
    else:
        grouped = ""
        chosen, said = some_dyads(there, pseudonyms)
        found = {column: points(chosen, column) for column in PANELS}
    everything = [v for of_panel in found.values() for v in of_panel]
    if not everything:
        return None
    x = time_axis(pl.Series([v["x"] for v in everything]), titles.time, each=not grouped)
    y = value_axis(everything, titles.outcome, fields=QUANTILES if pseudonyms is None else ("y",))
    panels: list[Spec] = [
        bands_panel(of_panel, PANELS[column], GREY, x, y, said=titles.time)
        if pseudonyms is None
        else lines_panel(of_panel, PANELS[column], GREY, x, y)
        for column, of_panel in found.items()
        if of_panel
    ]
    body: Spec = {"concat": panels, "columns": 2, "spacing": 26}
    what = "as observed" + (
        " (left), and the ordinary least squares lines through each dyad's values (right)" if len(panels) > 1 else ""
    )
    if pseudonyms is None:
        return Figure(
            key="outcome-curves",
            caption=sentences(f"Outcome {what}, by occasion.", said),
            alt=f"Outcome over {titles.time}, {what}: median and quantiles over dyads.",
            spec=chart(body),
        )
    return Figure(
        key="outcome-curves",
        caption=sentences(f"Outcome of each dyad {what}.", said),
        alt=f"Outcome over {titles.time}, {what}: one thin line per dyad.",
        spec=individual_chart(body),
        individual=True,
    )


def _least_squares() -> pl.Expr:
    """Height of the dyad's own line at the row's time; null where all its values are of one time."""
    time, outcome = pl.col("time"), pl.col("outcome")
    slope = (pl.cov(time, outcome) / time.var()).over("dyad")
    return pl.when(slope.is_finite()).then(outcome.mean().over("dyad") + slope * (time - time.mean().over("dyad")))
