"""The outcome models where predictors are imputed: fits of completed data sets, pooled into one answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from dyadline.data.dataset import Dataset
from dyadline.engine.moments import Array
from dyadline.errors import Finding
from dyadline.inference.coefficients import coefficients, tests
from dyadline.inference.variance import variance_components
from dyadline.model.fit import Fit
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.model import ModelSpec
from dyadline.scoring.score import Scoring
from dyadline.studies.imputation import impute
from dyadline.studies.outcome import (
    OutcomeModels,
    dyad_predictors,
    fit_model,
    placed_rows,
    predictors,
    stacked,
    with_predictors,
)
from dyadline.studies.pooling import pool
from dyadline.words import counted, listed

MOSTLY = 0.5
"""Share of dyads without a predictor from which its imputation rests on more assumption than observation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """What imputation gives.

    Attributes
    ----------
    tables
        Empty where nothing was imputed; else ``fixed_effects`` (with ``fraction_missing``) and ``random_effects`` in
        place of those of complete cases, ``imputation`` (each term: complete cases beside pooled) and
        ``imputed_predictors`` (what was observed beside what was imputed).
    findings
        What was done, and what to mind.
    """

    tables: Mapping[str, pl.DataFrame]
    findings: tuple[Finding, ...]


def completed_models(dataset: Dataset, scoring: Scoring, models: OutcomeModels, plan: AnalysisPlan) -> Completed:
    """Impute baseline and covariates where the plan says so, and pool the models.

    Dyads take part that have an outcome and all scores; scores are not imputed. Each completed data set is centred
    over its dyads. Information criteria are not pooled: they stay those of the complete cases.

    Raises
    ------
    FitError
        A model has no answer in a completed data set.
    """
    if plan.models.missing_predictors == "listwise":
        return Completed(tables={}, findings=())
    specs = [fitted.spec for fitted in models.fits]
    names = predictors(specs)
    rows = models.frame.drop(names)
    dyads = dyad_predictors(dataset, scoring, plan, names)
    dyads = dyads.filter(pl.col("dyad").is_in(placed_rows(rows)["dyad"].unique().to_list()))
    scores = [name for name in names if name != "baseline" and name not in plan.columns.covariates]
    scored = dyads.drop_nulls(scores)
    gaps = [name for name in names if name not in scores and scored[name].null_count()]
    if not gaps:
        return Completed(tables={}, findings=(*_nothing(dyads, names), *_not_scored(dyads, scores)))
    values = _imputed(placed_rows(rows), scored, gaps, specs, plan)
    fits = {number: [fitted] for number, fitted in zip(models.numbers, models.fits, strict=True)}
    for number, spec in zip(models.numbers, specs, strict=True):
        if set(gaps) & set(predictors([spec])):
            fits[number] = [
                fit_model(number, spec, frame, plan.models.method, plan)
                for frame in _completed(rows, dyads, scored, gaps, values, names)
            ]
    pooled = {number: len(found) > 1 for number, found in fits.items()}
    fixed = stacked([(n, pooled_coefficients(found, plan.models.df)) for n, found in fits.items()])
    tables = {
        "fixed_effects": fixed.drop("increase"),
        "random_effects": stacked([(n, pooled_components(found)) for n, found in fits.items()]),
        "imputation": _beside(fixed.filter(pl.col("model").replace_strict(pooled)), fits, models, plan),
        "imputed_predictors": _described(scored, gaps, values),
    }
    said = (
        *_what_was_done(tables, plan),
        *_two_valued(scored, gaps),
        *_mostly(scored, gaps),
        *_not_scored(dyads, scores),
        *_two_levels(models),
        *_too_few(tables, plan),
        *_doubtful(fits),
    )
    return Completed(tables=tables, findings=said)


def _imputed(
    rows: pl.DataFrame, scored: pl.DataFrame, gaps: list[str], specs: Sequence[ModelSpec], plan: AnalysisPlan
) -> Array:
    """Completed values of the predictors with gaps, (M, J, k)."""
    whole = [name for name in scored.columns if name != "dyad" and name not in gaps]
    centred = {name: (scored[name] - scored[name].mean()).to_numpy() for name in whole}
    columns = [centred[name] for name in whole]
    # Products of complete predictors belong to the models, so that they belong to what is conditioned on.
    for term in dict.fromkeys(t for spec in specs for t in spec.fixed):
        parts = [v.column for v in term]
        if len(parts) > 1 and set(parts) <= set(whole):
            columns.append(np.prod([centred[name] for name in parts], axis=0))
    return impute(
        rows.select("dyad", "time", "outcome"),
        np.column_stack(columns) if columns else np.empty((scored.height, 0)),
        scored.select(gaps).fill_null(float("nan")).to_numpy(),
        scored["dyad"],
        imputations=plan.models.imputations,
        seed=plan.models.seed,
    )


def _completed(
    rows: pl.DataFrame, dyads: pl.DataFrame, scored: pl.DataFrame, gaps: list[str], values: Array, names: list[str]
) -> Iterator[pl.DataFrame]:
    """The frame of the models for each imputation."""
    for drawn in values:
        filled = scored.with_columns(pl.Series(name, drawn[:, k]) for k, name in enumerate(gaps))
        kept = dyads.join(scored, on="dyad", how="anti", maintain_order="left")
        yield with_predictors(rows, pl.concat([filled, kept]), names)


def pooled_coefficients(fits: Sequence[Fit], df: str) -> pl.DataFrame:
    """The table of fixed effects by Rubin's rules, with ``increase`` and ``fraction_missing``.

    A single fit is no pool: its table, and nulls.
    """
    tables = [coefficients(fitted, df=df) for fitted in fits]
    if len(tables) == 1:
        unknown = pl.lit(None, pl.Float64)
        return pl.DataFrame(tables[0]).with_columns(increase=unknown, fraction_missing=unknown)
    found = pool(_values(tables, "estimate"), _values(tables, "std_error") ** 2, _values(tables, "df"))
    return pl.DataFrame(
        {
            "term": tables[0]["term"],
            **tests(found.estimate, found.std_error, found.df, 0.95),
            "increase": found.increase,
            "fraction_missing": found.fraction_missing,
        }
    )


def pooled_components(fits: Sequence[Fit]) -> pl.DataFrame:
    """The table of random effects: means over the fits, standard errors by Rubin's rules, no tests.

    Standard errors are missing where a fit has none (on the boundary).
    """
    tables = [variance_components(fitted) for fitted in fits]
    first = pl.DataFrame(tables[0])
    if len(tables) == 1:
        return first
    found = pool(
        _values(tables, "estimate"), _values(tables, "std_error") ** 2, np.full((len(tables), first.height), np.inf)
    )
    unknown = pl.lit(None, pl.Float64)
    return first.with_columns(
        estimate=pl.Series(found.estimate),
        std_error=pl.Series(found.std_error).fill_nan(None),
        statistic=unknown, p_value=unknown, conf_low=unknown, conf_high=unknown,
    )  # fmt: skip


def _values(tables: Sequence[pl.DataFrame], column: str) -> Array:
    return np.stack([table[column].cast(pl.Float64).fill_null(float("nan")).to_numpy() for table in tables])


def _beside(
    pooled: pl.DataFrame, fits: Mapping[int, Sequence[Fit]], models: OutcomeModels, plan: AnalysisPlan
) -> pl.DataFrame:
    """Complete cases beside pooled, one row per model and term, with the size of both."""
    whole = [
        (n, coefficients(f, df=plan.models.df).select("term", "estimate", "std_error", "df"))
        for n, f in zip(models.numbers, models.fits, strict=True)
    ]
    sizes = pl.DataFrame(
        {
            "model": models.numbers,
            "n_rows_complete": [f.n_rows for f in models.fits],
            "n_dyads_complete": [f.n_groups for f in models.fits],
            "n_rows": [fits[n][0].n_rows for n in models.numbers],
            "n_dyads": [fits[n][0].n_groups for n in models.numbers],
        }
    ).cast({"model": pooled["model"].dtype})
    return (
        pooled.select("model", "term", "estimate", "std_error", "df", "increase", "fraction_missing")
        .join(stacked(whole), on=["model", "term"], suffix="_complete", maintain_order="left")
        .join(sizes, on="model", maintain_order="left")
    )


def _described(scored: pl.DataFrame, gaps: list[str], values: Array) -> pl.DataFrame:
    """``predictor, n_observed, n_imputed, mean_observed, sd_observed, mean_imputed, sd_imputed``."""
    rows = []
    for k, name in enumerate(gaps):
        observed, drawn = scored[name].drop_nulls(), values[:, scored[name].is_null().to_numpy(), k]
        rows.append(
            {
                "predictor": name,
                "n_observed": observed.len(),
                "n_imputed": scored.height - observed.len(),
                "mean_observed": observed.mean(),
                "sd_observed": observed.std(),
                "mean_imputed": float(drawn.mean()),
                "sd_imputed": float(drawn.std(ddof=1)),
            }
        )
    return pl.DataFrame(rows)


def _nothing(dyads: pl.DataFrame, names: list[str]) -> Iterator[Finding]:
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


def _not_scored(dyads: pl.DataFrame, scores: list[str]) -> Iterator[Finding]:
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


def _what_was_done(tables: Mapping[str, pl.DataFrame], plan: AnalysisPlan) -> Iterator[Finding]:
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


def _two_levels(models: OutcomeModels) -> Iterator[Finding]:
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


def _doubtful(fits: Mapping[int, Sequence[Fit]]) -> Iterator[Finding]:
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
