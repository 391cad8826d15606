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
from dyadline.studies.imputation_findings import (
    doubtful,
    nothing_to_impute,
    scores_not_imputed,
    what_was_done,
    without_therapists,
)
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
        return Completed(tables={}, findings=(*nothing_to_impute(dyads, names), *scores_not_imputed(dyads, scores)))
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
        *what_was_done(tables, scored, gaps, plan),
        *scores_not_imputed(dyads, scores),
        *without_therapists(models),
        *doubtful(fits),
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
    own = ("estimate", "std_error", "df")
    return (
        pooled.join(stacked(whole), on=["model", "term"], suffix="_complete", maintain_order="left")
        .select("model", "term", *(f"{c}_complete" for c in own), *own, "increase", "fraction_missing")
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
