"""The effects of convergence under other choices: other dyads, and the number of sessions as a predictor.

Scores and their zero points stay those of the reported models, so that a coefficient means the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from dyadline.data.dataset import Dataset
from dyadline.data.roles import OCCASION
from dyadline.errors import DyadlineError
from dyadline.inference.coefficients import coefficients
from dyadline.model.fit import Fit
from dyadline.plan.analysis import AnalysisPlan, Window
from dyadline.plan.formula import parse_formula
from dyadline.plan.model import ModelSpec, term_label
from dyadline.plan.tokens import quote_name
from dyadline.studies.outcome import OutcomeModels, fit_model, placed_rows, predictors
from dyadline.words import counted

SESSIONS = "number of sessions"
"""The predictor of the variant ``sessions``."""

DYADS_PER_EFFECT = 10
"""Dyads per random effect below which a variant is not fitted: its answer would say more of them than of the choice."""

REPORTED, LISTWISE = "reported", "listwise"

SCHEMA: dict[str, Any] = {
    "variant": pl.String,
    "model": pl.Int32,
    "term": pl.String,
    **dict.fromkeys(("estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high"), pl.Float64),
    **dict.fromkeys(("n_rows", "n_dyads"), pl.Int64),
    "note": pl.String,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Varied:
    """What a variant changes: the frame, the model, or why it cannot be.

    Attributes
    ----------
    frame, spec
        To be fitted.
    reason
        Why there is nothing to fit; empty if there is.
    """

    frame: pl.DataFrame
    spec: ModelSpec
    reason: str = ""


def sensitivity(
    models: OutcomeModels, fixed_effects: pl.DataFrame, dataset: Dataset, plan: AnalysisPlan
) -> pl.DataFrame:
    """Coefficients with convergence in them, as reported and under each variant of the plan.

    ``complete_cases``: dyads with outcome and both ratings on every occasion on which any dyad has them.
    ``sessions``: their number, centred over the model's dyads, predicts intercept and slope. ``fewer_sessions``: dyads
    with at most ``most_sessions``. The number is that of ``[checks] sessions``, else of the occasions with a value.

    Parameters
    ----------
    models
        The fits.
    fixed_effects
        The table of coefficients that is reported.
    dataset, plan
        What was observed, and asked.

    Returns
    -------
    ``variant`` (first ``reported``; where predictors are imputed also ``listwise``), ``model, term, estimate,
    std_error, df, statistic, p_value, conf_low, conf_high, n_rows, n_dyads, note``. A variant that cannot be fitted,
    or has too few dyads (`DYADS_PER_EFFECT`), is one row with the reason in ``note``. Empty where no model
    has convergence or the plan asks for nothing.
    """
    tables = [pl.DataFrame(schema=SCHEMA)]
    numbered = [
        (n, f) for n, f in zip(models.numbers, models.fits, strict=True) if "convergence" in predictors([f.spec])
    ]
    asked = plan.sensitivity.run
    pooled = "fraction_missing" in fixed_effects.columns
    sizes = sessions_of(dataset)
    for variant in (REPORTED, *([LISTWISE] if pooled else []), *asked) if asked else ():
        for number, fitted in numbered:
            if variant == REPORTED:
                own = fixed_effects.filter(pl.col("model") == number)
                tables.append(_rows(variant, number, own, fitted.spec, None if pooled else fitted))
            elif variant == LISTWISE:
                tables.append(_rows(variant, number, coefficients(fitted, plan.models.df), fitted.spec, fitted))
            else:
                varied = _varied(variant, models.frame, fitted, dataset, sizes, plan)
                tables.append(_refitted(variant, number, varied, fitted, plan))
    return pl.concat(tables)


def sessions_of(dataset: Dataset) -> pl.DataFrame:
    """``dyad, sessions``: as ``[checks] sessions`` has them, else on how many occasions the dyad has a value."""
    if "sessions" in dataset.endings.columns:
        return dataset.endings.select("dyad", pl.col("sessions").cast(pl.Float64))
    there = dataset.rows.filter(pl.any_horizontal(pl.col(OCCASION).is_not_null()))
    return there.group_by("dyad", maintain_order=True).agg(sessions=pl.col("time").n_unique().cast(pl.Float64))


def complete_dyads(dataset: Dataset, plan: AnalysisPlan) -> pl.Series:
    """Dyads with outcome and both ratings on every occasion, within their windows, on which any dyad has them."""
    how = plan.convergence
    windows = {role: how.outcome_window if role == "outcome" else how.rating_window for role in OCCASION}
    complete = dataset.dyads["dyad"]
    for role, window in windows.items():
        seen = dataset.rows.filter(pl.col(role).is_not_null() & _within(window))
        counts = seen.group_by("dyad").agg(n=pl.col("time").n_unique())
        whole = counts.filter(pl.col("n") == seen["time"].n_unique())["dyad"]
        complete = complete.filter(complete.is_in(whole.to_list()))
    return complete


def _within(window: Window) -> pl.Expr:
    return pl.lit(True) if isinstance(window, str) else pl.col("time").is_between(window[0], window[1])


def _varied(
    variant: str, frame: pl.DataFrame, fitted: Fit, dataset: Dataset, sizes: pl.DataFrame, plan: AnalysisPlan
) -> Varied:
    rows = placed_rows(frame).drop_nulls(predictors([fitted.spec]))
    if variant == "sessions":
        return _with_sessions(rows, fitted, sizes)
    if variant == "complete_cases":
        kept = complete_dyads(dataset, plan)
        all_kept, none_kept = "No dyad lacks a value on any occasion", "No dyad has all values on every occasion"
    else:
        most = plan.sensitivity.most_sessions
        kept, limit = sizes.filter(pl.col("sessions") <= most)["dyad"], counted(most, "session")
        all_kept, none_kept = f"No dyad has more than {limit}", f"All dyads have more than {limit}"
    there = rows.filter(pl.col("dyad").is_in(kept.to_list()))
    reason = none_kept if there.is_empty() else all_kept if there.height == rows.height else ""
    return Varied(frame=there, spec=fitted.spec, reason=reason)


def _with_sessions(rows: pl.DataFrame, fitted: Fit, sizes: pl.DataFrame) -> Varied:
    if SESSIONS in rows.columns:
        return Varied(frame=rows, spec=fitted.spec, reason=f"A covariate is called {SESSIONS!r} already")
    known = rows.select("dyad").unique(maintain_order=True).join(sizes, on="dyad", maintain_order="left").drop_nulls()
    if known["sessions"].n_unique() < 2:
        return Varied(frame=rows, spec=fitted.spec, reason="All dyads have the same number of sessions")
    centred = known.select("dyad", (pl.col("sessions") - pl.col("sessions").mean()).alias(SESSIONS))
    return Varied(
        frame=rows.join(centred, on="dyad", maintain_order="left"),
        spec=parse_formula(f"{fitted.spec.formula} + time * {quote_name(SESSIONS)}"),
    )


def _refitted(variant: str, number: int, varied: Varied, fitted: Fit, plan: AnalysisPlan) -> pl.DataFrame:
    if varied.reason:
        return _unfitted(variant, number, varied.reason)
    dyads, needed = varied.frame["dyad"].n_unique(), DYADS_PER_EFFECT * len(fitted.design.groupings[0].effects)
    if dyads < needed:
        return _unfitted(variant, number, f"Only {counted(dyads, 'dyad')}, and {needed} are needed")
    try:
        again = fit_model(number, varied.spec, varied.frame, fitted.method, plan)
        return _rows(variant, number, coefficients(again, plan.models.df), again.spec, again)
    except DyadlineError as error:
        return _unfitted(variant, number, error.what)


def _unfitted(variant: str, number: int, reason: str) -> pl.DataFrame:
    return pl.DataFrame([{"variant": variant, "model": number, "note": reason}], schema=SCHEMA)


def _rows(variant: str, number: int, table: pl.DataFrame, spec: ModelSpec, fitted: Fit | None) -> pl.DataFrame:
    """The rows of a coefficient table that have convergence, or the number of sessions, in them."""
    shown = [term_label(t) for t in spec.fixed if {"convergence", SESSIONS} & {v.column for v in t}]
    named = {
        "variant": variant,
        "model": number,
        "n_rows": None if fitted is None else fitted.n_rows,
        "n_dyads": None if fitted is None else fitted.n_groups,
        "note": "" if fitted is None or fitted.converged else "The fit did not converge",
    }
    rows = table.filter(pl.col("term").is_in(shown)).with_columns(pl.lit(v).alias(k) for k, v in named.items())
    return rows.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
