"""What was observed when: shares over dyads, or dyad by dyad."""

from __future__ import annotations

import polars as pl

from dyadline.report.document import Figure
from dyadline.report.figures.aggregates import sentences, shares
from dyadline.report.figures.axes import (
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
        "axis": {"labelAngle": 0, "labelOverlap": "greedy", "format": TIME},
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
        ink = {"condition": {"test": "datum.share > 55", "value": "white"}, "value": INK}
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
    grid = last.join(shown.select("time").unique(), how="cross").join(shown, on=["dyad", "time"], how="left")
    state = {
        v: pl.when(pl.col(v).is_not_null()).then(0).when(pl.col("time") > pl.col("last")).then(2).otherwise(1).alias(v)
        for v in VARIABLES
    }
    # Numbers in place of words, and one row for the three panels: a hundred occasions make a large file otherwise.
    rows = grid.sort("time", maintain_order=True).select("dyad", "time", *state.values())
    values = [{"dyad": d, "x": time, "p": p, "t": t, "o": o} for d, time, p, t, o in rows.iter_rows()]
    dyads = last["dyad"].to_list()
    y: Spec = {
        "field": "dyad",
        "type": "nominal",
        "sort": dyads,
        "title": "Dyads",
        "axis": {"labels": len(dyads) <= 40, "ticks": False, "domain": False, "labelFontSize": 10},
    }
    words = f"{list(STATES)}[datum.value]".replace('"', "'")
    colour: Spec = {
        "type": "nominal",
        "scale": {"domain": [0, 1, 2], "range": list(STATE_COLOURS)},
        "legend": {"labelExpr": words, "symbolType": "square"},
    }
    panels: list[Spec] = [
        {
            "title": NAMES[v],
            "width": 195,
            "height": min(560, max(60, 14 * len(dyads))),
            "transform": [{"calculate": words.replace("value", v[0]), "as": "state"}],
            "mark": {"type": "rect", "stroke": None},
            "encoding": {
                "x": {**x, "axis": {**x["axis"], "labelFontSize": 10}},
                "y": y if v == VARIABLES[0] else {**y, "title": None, "axis": None},
                "color": {**colour, "field": v[0]},
                "opacity": faded(1.0),
                "tooltip": tooltip(("dyad", "Dyad"), ("x", str(x["title"]), TIME), ("state", NAMES[v])),
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
        spec=individual_chart({"data": {"values": values}, "hconcat": panels, "spacing": 14}),
        individual=True,
    )
