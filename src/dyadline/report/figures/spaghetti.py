"""Ratings of the dyads and the curves estimated from them: as lines, or as bands of quantiles."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dyadline.report.document import Figure
from dyadline.report.figures.aggregates import (
    BANDS,
    LEAST_TAILS,
    bands_panel,
    by_occasion,
    left_out,
    quantiles,
    sentences,
)
from dyadline.report.figures.axes import (
    PATIENT,
    RATERS,
    THERAPIST,
    AxisTitles,
    Spec,
    chart,
    individual_chart,
    lines_panel,
    short,
    time_axis,
    value_axis,
)

MOST_LINES = 200
"""Dyads in one panel: more would be a stain and a large file."""

MOST_POINTS = 4000
"""Points in one panel, however many occasions there are."""

QUANTILES = ("q5", "q25", "q50", "q75", "q95")


def with_curves(rows: pl.DataFrame, curves: pl.DataFrame | None) -> pl.DataFrame:
    """Rows with a rating, and the heights of both curves there: ``patient_curve, therapist_curve``.

    Parameters
    ----------
    rows
        ``dyad, time, t, patient_rating, therapist_rating``.
    curves
        ``dyad, rater, intercept, slope`` in t; ``None`` leaves the columns out.
    """
    rated = rows.filter(pl.any_horizontal(pl.col("patient_rating", "therapist_rating").is_not_null()))
    for rater in RATERS if curves is not None else ():
        line = curves.filter(pl.col("rater") == rater.lower()).select("dyad", "intercept", "slope")  # type: ignore[union-attr]
        height = pl.col("intercept") + pl.col("slope") * pl.col("t")
        rated = (
            rated.join(line, on="dyad", how="left", maintain_order="left")
            .with_columns(height.alias(f"{rater.lower()}_curve"))
            .drop("intercept", "slope")
        )
    return rated


def rating_curves(
    rows: pl.DataFrame,
    curves: pl.DataFrame | None,
    *,
    titles: AxisTitles,
    pseudonyms: pl.DataFrame | None = None,
) -> Figure | None:
    """Ratings of the dyads and the curves estimated from them, patients above therapists.

    Parameters
    ----------
    rows
        ``dyad, time, t, patient_rating, therapist_rating``.
    curves
        ``dyad, rater, intercept, slope`` in t, or ``None``.
    titles
        Of the axes.
    pseudonyms
        ``dyad, pseudonym``: draw a line per dyad under these; ``None`` draws quantiles over dyads.

    Returns
    -------
    ``None`` if no occasion has enough dyads.
    """
    rated = with_curves(rows, curves)
    wanted = {
        (rater, kind): f"{rater.lower()}_{kind}"
        for rater in RATERS
        for kind in (("rating",) if curves is None else ("rating", "curve"))
    }
    colours = dict(zip(RATERS, (PATIENT, THERAPIST), strict=True))
    axis = dict(zip(RATERS, (titles.patient, titles.therapist), strict=True))
    names = {"rating": "ratings", "curve": "estimated curves"}
    what = "Ratings" + ("" if curves is None else " (left) and the growth curves estimated from them (right)")
    order = "patients on the left, therapists on the right" if curves is None else "patients above, therapists below"
    if pseudonyms is None:
        values, grouped = by_occasion(rated, *wanted.values())
        found = {key: quantiles(values, column) for key, column in wanted.items()}
    else:
        grouped = ""
        chosen, said = some_dyads(rated, pseudonyms)
        found = {key: points(_ends(chosen) if key[1] == "curve" else chosen, c) for key, c in wanted.items()}
    fields = QUANTILES if pseudonyms is None else ("y",)
    everything = [v for values_of in found.values() for v in values_of]
    if not everything:
        return None
    x_of = time_axis(pl.Series([v["x"] for v in everything]), titles.time, each=not grouped)
    panels = []
    for (rater, kind), of_panel in found.items():
        y = value_axis(everything, axis[rater], fields=fields)
        title, colour = f"{rater}: {names[kind]}", colours[rater]
        if pseudonyms is None:
            panels.append(bands_panel(of_panel, title, colour, x_of, y, said=titles.time))
        else:
            panels.append(lines_panel(of_panel, title, colour, x_of, y))
    body: Spec = {"concat": panels, "columns": 2, "spacing": 26}
    if pseudonyms is None:
        return Figure(
            key="rating-curves",
            caption=sentences(
                f"{what} over dyads by occasion, {order}.",
                tails(everything),
                grouped,
                left_out(values, [*wanted.values()]),
            ),
            alt=f"{what}: median and quantiles over dyads by {titles.time}, {order}.",
            spec=chart(body),
        )
    return Figure(
        key="rating-curves",
        caption=sentences(f"{what} of each dyad, {order}.", said),
        alt=f"{what}, one thin line per dyad over {titles.time}, {order}.",
        spec=individual_chart(body),
        individual=True,
    )


def tails(every: Sequence[Spec]) -> str:
    """What lines and bands are, and whether the outer band is missing anywhere."""
    if all("q5" in v for v in every):
        return f"{BANDS}."
    if any("q5" in v for v in every):
        return f"{BANDS}, where there are at least {LEAST_TAILS} dyads."
    return f"{BANDS.rpartition(';')[0]}."


def some_dyads(rows: pl.DataFrame, pseudonyms: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """Rows under pseudonyms (column ``dyad``), of as many dyads as one can draw, and a sentence if these are not all.

    Returns
    -------
    rows
        In the order of pseudonyms, which is not that of the file.
    sentence
        Empty if all dyads are there.
    """
    named = (
        rows.join(pseudonyms, on="dyad", how="inner")
        .with_columns(dyad=pl.col("pseudonym"))
        .drop("pseudonym")
        .sort("dyad", "time")
    )
    dyads = named["dyad"].unique(maintain_order=True)
    most = max(20, min(MOST_LINES, MOST_POINTS * len(dyads) // max(named.height, 1)))
    if len(dyads) <= most:
        return named, ""
    # The order of pseudonyms is random, and so are the first of them.
    shown = named.filter(pl.col("dyad").is_in(dyads.head(most).implode()))
    return shown, f"{most} of the {len(dyads):,} dyads, drawn at random."


def points(rows: pl.DataFrame, column: str) -> list[Spec]:
    """Points of lines: ``dyad, x, y``."""
    return [
        {"dyad": dyad, "x": x, "y": short(y)} for dyad, x, y in rows.select("dyad", "time", column).drop_nulls().rows()
    ]


def _ends(rows: pl.DataFrame) -> pl.DataFrame:
    """The first and the last row of each dyad, between which its curve is straight."""
    place, size = pl.int_range(pl.len()).over("dyad"), pl.len().over("dyad")
    return rows.filter((place == 0) | (place == size - 1))
