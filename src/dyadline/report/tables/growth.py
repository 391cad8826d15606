"""Tables of the growth models of both raters' ratings, joint or one per rater."""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from dyadline.report.document import Cell, Column, Part, Row, RowGroup, Symbol, Table
from dyadline.report.numbers import decimals_of_spread
from dyadline.report.tables.models import ESTIMATES, estimates_row

EFFECTS = {
    "patient": "Patient: intercept",
    "patient:t": "Patient: slope (time)",
    "therapist": "Therapist: intercept",
    "therapist:t": "Therapist: slope (time)",
}
"""In the order of the tables; the model's own names are those of the raters."""


def growth_fixed_table(fixed: pl.DataFrame) -> Table:
    """Average curves of both raters.

    Parameters
    ----------
    fixed
        Coefficients under the joint model's names.
    """
    found = {record["term"]: record for record in fixed.iter_rows(named=True)}
    return Table(
        key="growth_fixed",
        caption="Growth of the ratings: average curves",
        stub="Effect",
        columns=ESTIMATES,
        groups=(RowGroup(rows=tuple(estimates_row(words, [found[term]]) for term, words in EFFECTS.items())),),
        note=("Without predictors. REML estimates; ", Symbol("df"), " Satterthwaite's, two-sided ", Symbol("p"), "."),
    )


def growth_random_table(components: pl.DataFrame) -> Table:
    """Standard deviations and correlations of the dyads' curves and of the residuals.

    Parameters
    ----------
    components
        Variance components under the joint model's names; residuals in the order patient, therapist, and where the
        model is a joint one their correlation. Separate models know of no correlations between raters.
    """
    residual = components.filter(pl.col("group").str.starts_with("Residual"))["estimate"].to_list()
    covariance = {
        frozenset(t for t in (r["term1"], r["term2"]) if t): r["estimate"]
        for r in components.filter(~pl.col("group").str.starts_with("Residual")).iter_rows(named=True)
    }
    sd = {term: math.sqrt(covariance[frozenset([term])]) for term in EFFECTS}
    rows = []
    for number, (term, words) in enumerate(EFFECTS.items()):
        before = list(EFFECTS)[:number]
        shown = [_correlation(covariance.get(frozenset([term, other])), sd[term] * sd[other]) for other in before]
        rows.append(_row(f"{number + 1}. {words}", sd[term], shown))
    patient, therapist = (math.sqrt(variance) for variance in residual[:2])
    noise = [
        _row("1. Patient", patient, []),
        _row("2. Therapist", therapist, [Cell(value=r, kind="proportion") for r in residual[2:]]),
    ]
    beside: tuple[Part, ...] = (
        (" Residuals of the two raters correlate within an occasion.",)
        if len(residual) > 2
        else (" Each rater has a model of their own, so that there are no correlations between raters.",)
    )
    return Table(
        key="growth_random",
        caption="Growth of the ratings: differences between dyads, and residuals",
        stub="Effect",
        columns=(Column(label="SD", symbol=True), *(Column(label=str(n)) for n in (1, 2, 3))),
        groups=(
            RowGroup(label="Random effects of dyads", rows=tuple(rows)),
            RowGroup(label="Residuals", rows=tuple(noise)),
        ),
        note=(
            Symbol("SD"),
            ": standard deviation; numbered columns: correlation with the effect of that number.",
            *beside,
        ),
    )


def _row(label: str, sd: float, correlations: Sequence[Cell | None]) -> Row:
    decimals = max(2, decimals_of_spread(sd))
    cells: list[Cell | None] = [Cell(value=sd, decimals=decimals), *correlations]
    return Row(label=label, cells=tuple(cells + [None] * (4 - len(cells))))


def _correlation(covariance: float | None, scale: float) -> Cell | None:
    if covariance is None:
        return None
    return Cell(value=covariance / scale if scale > 0.0 else None, kind="proportion")
