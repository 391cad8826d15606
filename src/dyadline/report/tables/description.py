"""Tables of the description: levels, the two raters together, intraclass correlations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import polars as pl

from dyadline.report.cells import bounds_cell, count_cell, interval_cell, number_cell, percent_cell
from dyadline.report.document import Cell, Column, Row, RowGroup, Symbol, Table
from dyadline.report.labels import name
from dyadline.report.numbers import decimals_of_spread

WIDEST = 0.9
"""Intervals of a share that are wider than this are not shown."""

_UNITS = {"dyad": "dyads", "therapist": "therapists"}
_OF = {
    "sessions": "Occasions",
    "patient_rating": "Patient's ratings",
    "therapist_rating": "Therapist's ratings",
    "outcome": "Outcome values",
    "dyads": "Dyads",
}

_COVERAGE = {
    "outcome": "Outcome at least once",
    "patient_rating": "Patient's rating at least once",
    "therapist_rating": "Therapist's rating at least once",
    "both_at_once": "Both ratings at the same occasion at least once",
    "patient_only": "Only ever rated by the patient",
    "therapist_only": "Only ever rated by the therapist",
    "no_rating": "No rating at all",
    "nothing": "No value of any kind",
}

_CORRELATIONS = {
    "within": "Within dyads, from occasion to occasion",
    "between": "Between dyads, of their means",
    "between_weighted": "Between dyads, weighted by occasions",
    "total": "All pairs together",
}

_GROUPS = {"dyad": "Dyad", "therapist": "Therapist", "dyad + therapist": "Dyad and therapist together"}


def levels_table(sizes: pl.DataFrame) -> Table:
    """Therapists, dyads, occasions: how many, and how they spread."""
    rows = [
        Row(
            label=f"{_OF[r['of']]} per {r['per']}",
            cells=(
                count_cell(r["total"]),
                Cell(value=f"{r['units']:,} {_UNITS[r['per']]}", kind="text"),
                *(Cell(value=r[q], kind="occasion") for q in ("min", "q1", "median", "q3", "max")),
            ),
        )
        for r in sizes.sort(pl.col("per") == "dyad", maintain_order=True).iter_rows(named=True)
    ]
    return Table(
        key="levels",
        caption="Therapists, dyads and occasions",
        stub="Number of",
        columns=(
            Column(label="All"),
            Column(label="In", align="text"),
            Column(label="Min"),
            Column(label="Q1", rank=1),
            Column(label="Mdn", symbol=True),
            Column(label="Q3", rank=1),
            Column(label="Max"),
        ),
        groups=(RowGroup(rows=tuple(rows)),),
        note=("Occasions: with a value of any kind. ", Symbol("Q1"), " and ", Symbol("Q3"), ": quartiles."),
    )


def coverage_table(coverage: pl.DataFrame) -> Table:
    """What dyads have at one time or another."""
    rows = [
        Row(label=_COVERAGE[r["what"]], cells=(count_cell(r["dyads"]), percent_cell(r["share"])))
        for r in coverage.iter_rows(named=True)
    ]
    return Table(
        key="coverage",
        caption="What is known of the dyads",
        stub="Dyads with",
        columns=(Column(label="Dyads"), Column(label="%")),
        groups=(RowGroup(rows=tuple(rows)),),
    )


def limits_table(limits: pl.DataFrame) -> Table:
    """Patient minus therapist over all occasions."""
    r = limits.row(0, named=True)
    d = decimals_of_spread(r["sd_difference"])
    low, high = r["limit_low"], r["limit_high"]
    lines: Sequence[tuple[str, tuple[Cell | None, ...]]] = (
        (
            "Mean difference",
            (
                number_cell(r["mean_difference"], d),
                interval_cell(r["conf_low"], r["conf_high"], d),
                None if r["p_value"] is None else Cell(value=r["p_value"], kind="p"),
            ),
        ),
        ("SD of the differences", (number_cell(r["sd_difference"], d), None, None)),
        ("SD between dyads", (number_cell(r["sd_between"], d), None, None)),
        ("SD within dyads", (number_cell(r["sd_within"], d), None, None)),
        ("Lower limit of agreement", (number_cell(low, d), None, None)),
        ("Upper limit of agreement", (number_cell(high, d), None, None)),
        ("Mean absolute difference", (number_cell(r["mean_absolute_difference"], d), None, None)),
    )
    return Table(
        key="limits",
        caption="Agreement of patient and therapist over all occasions",
        stub="Patient minus therapist",
        columns=(Column(label="Estimate"), Column(label="95% CI"), Column(label="p", symbol=True)),
        groups=(RowGroup(rows=tuple(Row(label=label, cells=cells) for label, cells in lines)),),
        note=(
            f"{r['pairs']:,} occasions of {r['dyads']:,} dyads at which both rated. Between the limits 95% of the "
            "differences are expected (Bland & Altman, 2007, for several occasions of a dyad).",
        ),
    )


def correlations_table(correlations: pl.DataFrame) -> Table:
    """The two raters' correlation within and between dyads."""
    rows = [
        Row(
            label=_CORRELATIONS[r["level"]],
            cells=(
                None if r["correlation"] is None else Cell(value=r["correlation"], kind="proportion"),
                bounds_cell(r["conf_low"], r["conf_high"]),
                None if r["df"] is None else Cell(value=r["df"], kind="count"),
                None if r["p_value"] is None else Cell(value=r["p_value"], kind="p"),
            ),
        )
        for r in correlations.iter_rows(named=True)
    ]
    return Table(
        key="rater-correlations",
        caption="Correlation of patient's and therapist's ratings",
        stub="Level",
        columns=(
            Column(label="r", symbol=True),
            Column(label="95% CI", rank=1),
            Column(label="df", symbol=True, rank=1),
            Column(label="p", symbol=True),
        ),
        groups=(RowGroup(rows=tuple(rows)),),
        note=(
            "Within dyads: whether both rate the same occasions higher than their usual, with one correlation common "
            "to all dyads. Between dyads: whether patients who rate high on average have therapists who do (Bland & "
            "Altman, 1995a, 1995b). All pairs together mixes the two; its pairs are not independent, so that it has no "
            "test.",
        ),
    )


def similarity_table(shares: pl.DataFrame) -> Table:
    """Intraclass correlations of dyads and therapists."""
    groups = []
    for variable, found in groupby(shares.iter_rows(named=True), key=lambda r: r["variable"]):
        rows = [
            Row(
                label=_GROUPS[r["group"]],
                cells=(
                    None if r["icc"] is None else Cell(value=r["icc"], kind="proportion"),
                    bounds_cell(r["conf_low"], r["conf_high"]) if _says_something(r) else None,
                    number_cell(r["variance"], 2 if (r["residual_variance"] or 0.0) >= 1.0 else 3),
                    count_cell(r["n_values"]),
                ),
            )
            for r in found
        ]
        groups.append(RowGroup(label=name(variable), rows=tuple(rows)))
    methods = sorted({r for r in shares["method"].to_list() if r}, reverse=True)
    doubts = [d for d in shares["doubt"].unique(maintain_order=True) if d]
    return Table(
        key="similarity",
        caption="Intraclass correlations",
        stub="Share of",
        columns=(Column(label="ICC"), Column(label="95% CI", rank=1), Column(label="Variance"), Column(label="Values")),
        groups=tuple(groups),
        note=(
            "How much of a variable's variance lies between dyads and between therapists, in a model without "
            "predictors; change over time counts as variance within dyads. Without interval: a share of 0, or one of "
            f"which the data say next to nothing. Estimated by {' and '.join(methods) or 'REML'}.",
            *(f" {doubt}" for doubt in doubts),
        ),
    )


def _says_something(r: Mapping[str, Any]) -> bool:
    return r["conf_low"] is not None and r["conf_high"] - r["conf_low"] < WIDEST
