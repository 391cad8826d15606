"""What was observed when: shares over dyads, or dyad by dyad."""

from __future__ import annotations

import polars as pl

from dyadline.report.document import Figure
from dyadline.report.figures.aggregates import sentences, shares
from dyadline.report.figures.axes import (
    AS_IT_IS,
    COUNT,
    INK,
    TIME,
    AxisTitles,
    Spec,
    chart,
    faded,
    individual_chart,
    short,
    tooltip,
)
from dyadline.report.figures.spaghetti import some_dyads
from dyadline.report.labels import NAMES

VARIABLES = ("patient_rating", "therapist_rating", "outcome")
STATES = ("Observed", "Missing", "After the last occasion")
STATE_COLOURS = ("#0072B2", "#E69F00", "#ededed")

MOST_LABELS = 15
"""Occasions that have room for a number in each tile."""


def missing_values(rows: pl.DataFrame, *, titles: AxisTitles, pseudonyms: pl.DataFrame | None = None) -> Figure | None:
    """Share of dyads with each value by occasion, as tiles; or what each dyad has.

    Parameters
    ----------
    rows
        ``dyad, time, patient_rating, therapist_rating, outcome``.
    titles
        Of the axes.
    pseudonyms
        ``dyad, pseudonym``: draw the dyads under these, sorted by their last occasion; ``None`` draws shares.

    Returns
    -------
    ``None`` if nothing was observed.
    """
    there = rows.filter(pl.any_horizontal(pl.col(*VARIABLES).is_not_null())).select("dyad", "time", *VARIABLES)
    if there.is_empty():
        return None
    in_order = not shares(there)
    if in_order:
        there = there.sort("dyad", "time").with_columns(
            time=pl.int_range(1, pl.len() + 1).over("dyad").cast(pl.Float64)
        )
    x: Spec = {
        "field": "x",
        "type": "ordinal",
        "title": "Occasion of the dyad" if in_order else titles.time,
        "axis": {
            "labelAngle": 0,
            "labelOverlap": "parity",
            "labelSeparation": 5,
            "labelExpr": AS_IT_IS,
            "ticks": False,
        },
    }
    if pseudonyms is None:
        return _tiles(there, x)
    return _map(there, x, pseudonyms)


def _tiles(there: pl.DataFrame, x: Spec) -> Figure:
    dyads = there["dyad"].n_unique()
    counted = there.group_by("time").agg(pl.col(*VARIABLES).count()).sort("time")
    values = [
        {"what": NAMES[v], "x": r["time"], "observed": r[v], "n": dyads, "share": short(100.0 * r[v] / dyads)}
        for r in counted.iter_rows(named=True)
        for v in VARIABLES
    ]
    y: Spec = {
        "field": "what",
        "type": "nominal",
        "title": None,
        "sort": [NAMES[v] for v in VARIABLES],
        "axis": {"domain": False, "ticks": False},
    }
    share: Spec = {"field": "share", "type": "quantitative"}
    colour = {
        **share,
        "scale": {"domain": [0, 100], "range": ["#f4f7fa", "#08519c"]},
        "legend": {
            "title": "% of dyads observed",
            "gradientLength": 150,
            "titleFontWeight": "normal",
            "titleLimit": 300,
        },
    }
    hint = tooltip(
        ("what", "What"), ("x", str(x["title"]), TIME), ("share", "% observed", ".0f"), ("observed", "Dyads", COUNT)
    )
    layers: list[Spec] = [
        {"mark": {"type": "rect", "stroke": "white"}, "encoding": {"x": x, "y": y, "color": colour, "tooltip": hint}}
    ]
    if counted.height <= MOST_LABELS:
        ink = {"condition": {"test": "datum.share > 70", "value": "white"}, "value": INK}
        text = {**share, "format": ".0f"}
        layers.append(
            {"mark": {"type": "text", "fontSize": 11.5}, "encoding": {"x": x, "y": y, "text": text, "color": ink}}
        )
    return Figure(
        key="missing-values",
        caption=f"Share of the {dyads:,} dyads with each value, by occasion, in per cent.",
        alt="Tiles: occasions from left to right, patient's rating, therapist's rating and outcome from top to bottom; "
        "the darker, the more dyads have the value.",
        spec=chart({"data": {"values": values}, "width": 600, "height": 3 * 34, "layer": layers}),
    )


def _map(there: pl.DataFrame, x: Spec, pseudonyms: pl.DataFrame) -> Figure:
    shown, said = some_dyads(there, pseudonyms)
    last = shown.group_by("dyad").agg(last=pl.col("time").max()).sort("last", "dyad", descending=[True, False])
    times = shown["time"].unique().sort()
    grid = last.join(times.to_frame(), how="cross").join(shown, on=["dyad", "time"], how="left")
    grid = grid.sort("last", "dyad", "time", descending=[True, False, False])
    dyads = last["dyad"].to_list()
    y: Spec = {
        "field": "dyad",
        "type": "nominal",
        "sort": dyads,
        "title": "Dyads",
        "axis": {"labels": len(dyads) <= 40, "ticks": False, "domain": False, "labelFontSize": 10},
    }
    scale = {"domain": times.to_list()}
    colour = {"field": "state", "type": "nominal", "scale": {"domain": list(STATES), "range": list(STATE_COLOURS)}}
    hint = (("dyad", "Dyad"), ("from", f"{x['title']}: from", TIME), ("to", "to", TIME))
    panels: list[Spec] = [
        {
            "title": NAMES[v],
            "width": 195,
            "height": min(560, max(60, 14 * len(dyads))),
            "data": {"values": _runs(grid, v)},
            "mark": {"type": "rect", "stroke": None},
            "encoding": {
                "x": {
                    **x,
                    "axis": {**x["axis"], "titleLimit": 195},
                    "field": "from",
                    "bandPosition": 0,
                    "scale": scale,
                },
                "x2": {"field": "to", "bandPosition": 1},
                "y": y if v == VARIABLES[0] else {**y, "title": None, "axis": None},
                "color": {**colour, "legend": {"symbolType": "square"}},
                "opacity": faded(1.0),
                "tooltip": tooltip(*hint, ("state", NAMES[v])),
            },
        }
        for v in VARIABLES
    ]
    return Figure(
        key="missing-values",
        caption=sentences(
            "What was observed of each dyad (a row), by occasion; sorted by the dyad's last occasion.", said
        ),
        alt=f"Map of {len(dyads)} dyads by occasion, one panel each for the patient's rating, the therapist's rating "
        "and the outcome: observed, missing, or after the dyad's last occasion.",
        spec=individual_chart({"hconcat": panels, "spacing": 14}),
        individual=True,
    )


def _runs(grid: pl.DataFrame, variable: str) -> list[Spec]:
    """Neighbouring occasions of a dyad in the same state as one bar: ``dyad, from, to, state``."""
    observed, after = pl.col(variable).is_not_null(), pl.col("time") > pl.col("last")
    state = pl.when(observed).then(pl.lit(STATES[0])).when(after).then(pl.lit(STATES[2])).otherwise(pl.lit(STATES[1]))
    runs = grid.with_columns(state=state).with_columns(run=pl.struct("dyad", "state").rle_id())
    bars = runs.group_by("run", maintain_order=True).agg(
        pl.col("dyad", "state").first(), pl.col("time").first().alias("from"), pl.col("time").last().alias("to")
    )
    return bars.select("dyad", "from", "to", "state").to_dicts()
