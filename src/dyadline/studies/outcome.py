"""The outcome models of one study: their common frame, their fits, and the tables of numbers that they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from dyadline.data.dataset import Dataset
from dyadline.errors import DataError, FitError
from dyadline.inference.coefficients import coefficients
from dyadline.inference.criteria import information_criteria
from dyadline.inference.variance import variance_components
from dyadline.model.fit import Fit, fit
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.model import ModelSpec
from dyadline.plan.recipes import outcome_model, random_part
from dyadline.scoring.score import Scoring
from dyadline.studies.levels import Levels, choose_levels, level_table

OWN = ("outcome", "time", "dyad", "therapist")
LEFT_OUT = {"model": pl.Int64, "predictor": pl.String, "n_dyads": pl.Int64, "n_rows": pl.Int64}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeModels:
    """The fitted models of a plan.

    Attributes
    ----------
    frame
        Rows with an outcome in the outcome window: ``row, dyad, time`` (model time), ``outcome``, with three
        levels ``therapist``, and the predictors, grand-mean centred over dyads.
    levels
        How many levels the models have, and why.
    numbers
        Model numbers, in the plan's order.
    fits
        One per number, on the rows that the model can use.
    common
        The same models by ML on the rows that all of them can use: their criteria can be compared.
    """

    frame: pl.DataFrame
    levels: Levels
    numbers: tuple[int, ...]
    fits: tuple[Fit, ...]
    common: tuple[Fit, ...]


def fit_models(dataset: Dataset, scoring: Scoring, plan: AnalysisPlan) -> OutcomeModels:
    """Fit the plan's models.

    Raises
    ------
    DataError
        No outcome in the window, or too few dyads with everything that the models need.
    FitError
        A model has no answer; its number is in the message.
    """
    rows = outcome_rows(dataset, plan)
    levels = choose_levels(rows, plan)
    specs = [outcome_model(number, plan, random=levels.random) for number in plan.models.run]
    if levels.used == 2 and "therapist" in rows.columns:
        rows = rows.drop("therapist")
    frame = outcome_frame(dataset, scoring, plan, predictors(specs), rows=rows)
    fits = tuple(
        fit_model(number, spec, frame, plan.models.method, plan)
        for number, spec in zip(plan.models.run, specs, strict=True)
    )
    shared = frame.drop_nulls([*predictors(specs), *(["therapist"] if levels.used == 3 else [])])
    common = tuple(
        fit_model(number, spec, shared, "ML", plan) for number, spec in zip(plan.models.run, specs, strict=True)
    )
    return OutcomeModels(frame=frame, levels=levels, numbers=plan.models.run, fits=fits, common=common)


def main_model(models: OutcomeModels) -> tuple[int, Fit]:
    """Number and fit of the model that says most: the one with the highest number."""
    return max(zip(models.numbers, models.fits, strict=True), key=lambda pair: pair[0])


def predictors(specs: Sequence[ModelSpec]) -> list[str]:
    """Dyad-level columns that the models use, each once."""
    return list(dict.fromkeys(c for spec in specs for c in spec.columns if c not in OWN))


def dyads_of(frame: pl.DataFrame, fitted: Fit) -> pl.DataFrame:
    """The dyads of a fit with its predictors as they are in the models' frame: ``dyad`` and the names."""
    names = predictors([fitted.spec])
    return placed_rows(frame).select("dyad", *names).drop_nulls().unique("dyad", maintain_order=True)


def outcome_rows(dataset: Dataset, plan: AnalysisPlan) -> pl.DataFrame:
    """Rows with an outcome in the outcome window: ``row, dyad, time, outcome``, and ``therapist`` if levels ask for it.

    Raises
    ------
    DataError
        If there is none.
    """
    window = plan.convergence.outcome_window
    rows = dataset.rows.filter(pl.col("outcome").is_not_null())
    if not isinstance(window, str):
        rows = rows.filter(pl.col("time").is_between(window[0], window[1]))
    if rows.is_empty():
        raise DataError(
            "There is no outcome in the outcome window",
            where="convergence.outcome_window",
            way_out="Widen the window, or check the outcome column",
        )
    therapist = ["therapist"] if plan.models.levels != 2 else []
    return rows.select("row", "dyad", *therapist, time="t", outcome="outcome")


def outcome_frame(
    dataset: Dataset,
    scoring: Scoring,
    plan: AnalysisPlan,
    names: Sequence[str],
    *,
    rows: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Outcome rows with predictors centred over the dyads that have them all, an outcome and a place in the levels.

    Parameters
    ----------
    names
        The predictors.
    rows
        Rows with an outcome; those of `outcome_rows` unless given.

    Raises
    ------
    DataError
        If no row has an outcome, or fewer than three dyads have all predictors.
    """
    rows = outcome_rows(dataset, plan) if rows is None else rows
    return with_predictors(rows, dyad_predictors(dataset, scoring, plan, names), names)


def dyad_predictors(dataset: Dataset, scoring: Scoring, plan: AnalysisPlan, names: Sequence[str]) -> pl.DataFrame:
    """Scores, baseline and covariates as they are, one row per dyad: ``dyad`` and the names."""
    covariates = [c for c in names if c in plan.columns.covariates]
    dyads = scoring.scores.join(dataset.dyads.select("dyad", *covariates), on="dyad", maintain_order="left")
    return dyads.select("dyad", *names)


def placed_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Outcome rows that have a place in the levels: with three of them, those whose therapist is known."""
    return rows.drop_nulls("therapist") if "therapist" in rows.columns else rows


def with_predictors(rows: pl.DataFrame, dyads: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Outcome rows with the dyads' predictors, centred; errors as in `outcome_frame`."""
    there = placed_rows(rows)
    whole = dyads.filter(pl.col("dyad").is_in(there["dyad"].unique().to_list())).drop_nulls()
    if names and whole.height < 3:
        raise DataError(
            f"{['No dyad has', 'Only 1 dyad has', 'Only 2 dyads have'][whole.height]} an outcome and all predictors "
            f"({', '.join(names)})",
            way_out="The table of scores and the findings of dyadline check say which are missing",
        )
    for name in names:
        if whole[name].n_unique() == 1:
            raise DataError(
                f"{name.replace('_', ' ').capitalize()} is the same for all {whole.height} dyads that can be used, "
                "so it predicts nothing",
                way_out="Leave it out, or run = [1] only",
            )
    means = {name: float(whole[name].mean() or 0.0) for name in names}  # type: ignore[arg-type]
    centred = dyads.with_columns(pl.col(name) - mean for name, mean in means.items())
    return rows.join(centred, on="dyad", how="left", maintain_order="left")


def fit_model(number: int, spec: ModelSpec, frame: pl.DataFrame, method: str, plan: AnalysisPlan) -> Fit:
    """Fit one of the plan's models; the number is in the message of a `FitError`."""
    of_dyad = [t for t in spec.fixed if t and all(v.column != "time" for v in t)]
    dyads = frame.drop_nulls([c for c in spec.columns if c in frame.columns])["dyad"].n_unique()
    if dyads <= len(of_dyad) + 1:
        raise FitError(
            f"Model {number} has {len(of_dyad)} predictors of the dyad, and only {dyads} dyads have them all",
            way_out="Leave this model out of models.run; it needs several dyads per predictor",
        )
    try:
        return fit(spec, frame, method)
    except FitError as error:
        how = plan.convergence
        way_out = error.way_out
        if "early_discrepancy" in error.what and how.early_discrepancy != "absolute":
            way_out = (
                "The early levels of both raters and their difference say the same thing twice. Three ways out: "
                'early_discrepancy = "absolute"; early_level = "curve" with early_discrepancy = "signed" (the '
                'default: curve levels, raw difference); or early_discrepancy = "none"'
            )
        elif "development" in error.what and how.growth == "multilevel" and how.early_level == "curve":
            way_out = (
                "Where a rater's lines differ in height and slope together, the multilevel curves cannot tell early "
                'alliance from its development. Write early_level = "first_rating" or growth = "ols" under '
                f"[convergence], or leave Model {number} out of run under [models]"
            )
        raise FitError(f"Model {number}: {error.what}", where=error.where, way_out=way_out) from error


def time_shapes(models: OutcomeModels, plan: AnalysisPlan) -> pl.DataFrame:
    """Linear, log-linear and quadratic change, by ML on the same rows.

    Returns
    -------
    ``shape, criterion, aic, n_rows``. Log-linear time is ln(1 + t) counted from the first outcome; the
    quadratic shape adds a fixed t² to the linear model.
    """
    three, slopes = models.levels.used == 3, models.levels.slopes
    frame = models.frame.select("dyad", "outcome", "time", *(["therapist"] if three else [])).drop_nulls()
    start = frame["time"].min()
    frame = frame.with_columns(log_time=(pl.col("time") - start).log1p(), time_squared=(pl.col("time") - start) ** 2)
    by_time, by_log = (random_part(therapists=three, slopes=slopes, time=name) for name in ("time", "log_time"))
    formulas = {"linear": f"outcome ~ time + {by_time}", "log-linear": f"outcome ~ log_time + {by_log}"}
    if frame["time"].n_unique() > 2:
        formulas["quadratic"] = f"outcome ~ time + time_squared + {by_time}"
    rows = []
    for shape, formula in formulas.items():
        fitted = fit(formula, frame, "ML")
        aic = information_criteria(fitted, plan.models.criteria)["aic"].item()
        rows.append({"shape": shape, "criterion": fitted.criterion, "aic": aic, "n_rows": fitted.n_rows})
    return pl.DataFrame(rows)


def model_tables(models: OutcomeModels, plan: AnalysisPlan) -> dict[str, pl.DataFrame]:
    """Full-precision tables: those below, all of the dyads that have the predictors (listwise).

    ``fixed_effects, random_effects, criteria, criteria_common, collinearity, condition, left_out``.

    With therapists in question also ``level_test``.
    """
    numbered = list(zip(models.numbers, models.fits, strict=True))
    vif, condition = _collinearity(models)
    asked = {} if models.levels.asked == 2 else {"level_test": level_table(models.levels)}
    return {
        "fixed_effects": stacked([(n, coefficients(f, df=plan.models.df)) for n, f in numbered]),
        "random_effects": stacked([(n, variance_components(f)) for n, f in numbered]),
        "criteria": _criteria(models.numbers, models.fits, plan),
        "criteria_common": _criteria(models.numbers, models.common, plan),
        "collinearity": vif,
        "condition": condition,
        "left_out": left_out(models),
        **asked,
    }


def left_out(models: OutcomeModels) -> pl.DataFrame:
    """Which dyads with an outcome a model leaves out, because they lack one of its predictors.

    Returns
    -------
    ``model, predictor, n_dyads, n_rows``: one row per model that leaves out any, where the predictor is null, and one
    per predictor that is missing; a dyad may lack several.
    """
    rows = placed_rows(models.frame)
    found: list[dict[str, object]] = []
    for number, fitted in zip(models.numbers, models.fits, strict=True):
        needed = predictors([fitted.spec])
        lacking = rows.filter(pl.any_horizontal(pl.col(needed).is_null())) if needed else rows.clear()
        for name in [None, *needed] if lacking.height else []:
            these = lacking if name is None else lacking.filter(pl.col(name).is_null())
            if these.height:
                counts = {"n_dyads": these["dyad"].n_unique(), "n_rows": these.height}
                found.append({"model": number, "predictor": name, **counts})
    return pl.DataFrame(found, schema=LEFT_OUT)


def stacked(tables: list[tuple[int, pl.DataFrame]]) -> pl.DataFrame:
    """Tables of several models as one, with the model's number first."""
    return pl.concat([table.select(pl.lit(number).alias("model"), pl.all()) for number, table in tables])


def _criteria(numbers: Sequence[int], fits: Sequence[Fit], plan: AnalysisPlan) -> pl.DataFrame:
    parts = [
        information_criteria(fitted, plan.models.criteria).with_columns(
            model=pl.lit(number),
            method=pl.lit(fitted.method),
            n_rows=pl.lit(fitted.n_rows),
            n_dyads=pl.lit(fitted.n_groups),
            n_therapists=pl.lit(_therapists(fitted), pl.Int64),
        )
        for number, fitted in zip(numbers, fits, strict=True)
    ]
    order = ("model", "convention", "method", "criterion", "aic", "aicc", "caic", "bic")
    criteria: pl.DataFrame = pl.concat(parts)
    return criteria.select(*order, "n_parameters", "n", "n_rows", "n_dyads", "n_therapists")


def _therapists(fitted: Fit) -> int | None:
    above = fitted.design.groupings[1:]
    return len(above[0].labels) if above else None


def _collinearity(models: OutcomeModels) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Variance inflation of each dyad-level predictor and condition number, over dyads, per model."""
    factors: list[dict[str, object]] = []
    numbers: list[dict[str, object]] = []
    for number, fitted in zip(models.numbers, models.fits, strict=True):
        terms = [t for t in fitted.spec.fixed if t and all(v.column != "time" for v in t)]
        columns = list(dict.fromkeys(v.column for t in terms for v in t))
        if len(terms) < 2:
            continue
        dyads = models.frame.select("dyad", *columns).drop_nulls().unique("dyad", maintain_order=True)
        x = np.column_stack([np.prod([dyads[v.column].to_numpy() for v in t], axis=0) for t in terms])
        correlation = np.corrcoef(x, rowvar=False)
        values = np.linalg.eigvalsh(correlation)
        inverse = np.linalg.inv(correlation)
        factors += [
            {"model": number, "term": ":".join(v.label for v in t), "vif": float(inverse[k, k])}
            for k, t in enumerate(terms)
        ]
        numbers.append({"model": number, "condition_number": float(np.sqrt(values[-1] / values[0]))})
    return (
        pl.DataFrame(factors, schema={"model": pl.Int64, "term": pl.String, "vif": pl.Float64}),
        pl.DataFrame(numbers, schema={"model": pl.Int64, "condition_number": pl.Float64}),
    )
