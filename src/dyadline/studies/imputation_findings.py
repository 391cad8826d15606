"""What was imputed, and what to mind: findings of imputation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from dyadline.errors import Finding
from dyadline.model.fit import Fit
from dyadline.plan.analysis import AnalysisPlan
from dyadline.studies.outcome import OutcomeModels
from dyadline.words import counted, listed

MOSTLY = 0.5
"""Share of dyads without a predictor from which its imputation rests on more assumption than observation."""


def what_was_done(
    tables: Mapping[str, pl.DataFrame], scored: pl.DataFrame, gaps: list[str], plan: AnalysisPlan
) -> Iterator[Finding]:
    """What was imputed for whom, and where that asks for care.

    Parameters
    ----------
    tables
        ``imputation, imputed_predictors``.
    scored
        Predictors of the dyads that take part, before imputation.
    gaps
        Those that were imputed.
    """
    yield from _done(tables, plan)
    yield from _two_valued(scored, gaps)
    yield from _mostly(scored, gaps)
    yield from _too_few(tables, plan)


def nothing_to_impute(dyads: pl.DataFrame, names: list[str]) -> Iterator[Finding]:
    """That the plan asks for imputation in vain; dyads with an outcome, and all predictors."""
    lacking = dyads.filter(pl.any_horizontal(pl.col(names).is_null())).height if names else 0
    yield Finding(
        code="nothing-to-impute",
        level="note",
        words="The plan asks for imputation, and there is nothing to impute: "
        + (
            "what dyads with an outcome lack is a score."
            if lacking
            else "no dyad with an outcome lacks a predictor of the models."
        ),
    )


def scores_not_imputed(dyads: pl.DataFrame, scores: list[str]) -> Iterator[Finding]:
    """Dyads with an outcome that lack a score."""
    lacking = [(name, dyads[name].null_count()) for name in scores if dyads[name].null_count()]
    if lacking:
        number = dyads.height - dyads.drop_nulls(scores).height
        yield Finding(
            code="scores-not-imputed",
            level="note",
            words=f"{counted(number, 'dyad')} with an outcome {'lacks' if number == 1 else 'lack'} a score "
            f"({', '.join(f'{name} {n}' for name, n in lacking)}). Scores come from ratings and are not imputed: "
            "models with such a score leave these dyads out, and nothing else is imputed for them.",
        )


def _done(tables: Mapping[str, pl.DataFrame], plan: AnalysisPlan) -> Iterator[Finding]:
    described, beside = tables["imputed_predictors"], tables["imputation"]
    what = [f"{name!r} for {counted(n, 'dyad')}" for name, n in described.select("predictor", "n_imputed").rows()]
    used = [
        f"Model {number} has {counted(n, 'dyad')} instead of {complete}"
        for number, n, complete in beside.select("model", "n_dyads", "n_dyads_complete")
        .unique(maintain_order=True)
        .rows()
    ]
    most = beside.sort("fraction_missing", descending=True).row(0, named=True)
    yield Finding(
        code="predictors-imputed",
        level="note",
        words=f"{plan.models.imputations} imputations of {listed(what)}, seed {plan.models.seed}, from the other "
        f"predictors and the course of the outcome; estimates are pooled by Rubin's rules. {'; '.join(used)}. The "
        f"largest fraction of missing information is {_share(most['fraction_missing'])} (Model {most['model']}, "
        f"{most['term']}). Information criteria and collinearity are those of the dyads with all predictors.",
        way_out="Right if values are missing at random, given outcome and other predictors. The table imputation has "
        "the estimates of the complete cases beside.",
    )


def _share(value: float) -> str:
    return f"{value:.2f}".replace("0.", ".", 1)


def _two_valued(scored: pl.DataFrame, gaps: list[str]) -> Iterator[Finding]:
    named = [repr(name) for name in gaps if scored[name].drop_nulls().n_unique() == 2]
    if named:
        yield Finding(
            code="two-valued-imputed",
            level="note",
            words=f"{listed(named)} {'has' if len(named) == 1 else 'have'} two values; imputed ones are not rounded "
            "to them, because rounding biases the estimates (Horton, Lipsitz & Parzen, 2003).",
        )


def _mostly(scored: pl.DataFrame, gaps: list[str]) -> Iterator[Finding]:
    for name in gaps:
        missing = scored[name].null_count()
        if missing > MOSTLY * scored.height:
            yield Finding(
                code="mostly-imputed",
                level="warning",
                words=f"{missing} of {scored.height} dyads lack {name!r}: more of it is imputed than observed.",
                way_out="Its effects rest on the imputation model; report the models without it too.",
            )


def without_therapists(models: OutcomeModels) -> Iterator[Finding]:
    """That the imputation model has two levels where the outcome models have three."""
    if models.levels.used == 3:
        yield Finding(
            code="imputed-without-therapists",
            level="note",
            words="The models have three levels, and predictors are imputed without the therapists: what dyads of "
            "one therapist share beyond their predictors and outcomes is not in the imputed values.",
        )


def _too_few(tables: Mapping[str, pl.DataFrame], plan: AnalysisPlan) -> Iterator[Finding]:
    """White, Royston and Wood (2011): as many imputations as the fraction of missing information has percent."""
    most = float(tables["imputation"]["fraction_missing"].max())  # type: ignore[arg-type]
    if 100.0 * most > plan.models.imputations:
        yield Finding(
            code="few-imputations",
            level="note",
            words=f"{plan.models.imputations} imputations are few for a fraction of missing information of "
            f"{_share(most)}: another seed gives other last digits.",
            way_out=f"imputations = {10 * int(np.ceil(10.0 * most))} makes them settle (White, Royston & Wood, 2011).",
        )


def doubtful(fits: Mapping[int, Sequence[Fit]]) -> Iterator[Finding]:
    """Fits of completed data sets on the boundary or without a certified optimum, by model."""
    for number, found in fits.items():
        if len(found) == 1:
            continue
        singular, failed = sum(f.singular for f in found), sum(not f.converged for f in found)
        if singular:
            yield Finding(
                code="boundary-fit",
                level="warning",
                words=f"Model {number} ends on the boundary in {singular} of {len(found)} completed data sets: a "
                "variance is zero or a correlation ±1 there. Fixed effects are pooled over all.",
            )
        if failed:
            yield Finding(
                code="not-certified",
                level="warning",
                words=f"Model {number} has no certified optimum in {failed} of {len(found)} completed data sets.",
                way_out="Rescale time or outcome, or simplify the model; do not report these numbers as they are.",
            )
