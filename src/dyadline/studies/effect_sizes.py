"""How large effects are: standardised coefficients, intraclass correlations, explained variance."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dyadline.inference.coefficients import coefficients
from dyadline.inference.explained import pseudo_r_squared, r_squared
from dyadline.inference.intraclass import icc
from dyadline.inference.standardised import standardised
from dyadline.model.fit import Fit
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.recipes import outcome_model
from dyadline.studies.outcome import OutcomeModels, dyads_of, fit_model, predictors, stacked

SCALED = ("estimate", "std_error", "conf_low", "conf_high")


def effect_sizes(models: OutcomeModels, fixed_effects: pl.DataFrame, plan: AnalysisPlan) -> dict[str, pl.DataFrame]:
    """Effect sizes of the plan's models.

    Parameters
    ----------
    models
        The fits.
    fixed_effects
        The table of coefficients that is reported, pooled where predictors are imputed.
    plan
        What is asked.

    Returns
    -------
    ``standardised``: `fixed_effects` in standard deviations, see `standardised_effects`. ``icc``: ``model, group, at,
    icc, std_error, conf_low, conf_high``, where time is 0. ``r_squared``: ``model, r2_marginal, r2_conditional,
    variance_fixed, variance_random, variance_residual``. ``pseudo_r_squared``: ``model, group, term, null,
    with_predictors, reduction, note`` against Model 1 on the model's own rows. All but the first are of the dyads
    that have all predictors.
    """
    numbered = list(zip(models.numbers, models.fits, strict=True))
    return {
        "standardised": standardised_effects(models, fixed_effects, plan),
        "icc": stacked([(n, icc(f)) for n, f in numbered]).drop("residual"),
        "r_squared": stacked([(n, r_squared(f)) for n, f in numbered]).drop("outcome"),
        "pseudo_r_squared": _reductions(models, plan),
    }


def standardised_effects(models: OutcomeModels, fixed_effects: pl.DataFrame, plan: AnalysisPlan) -> pl.DataFrame:
    """Coefficients times SD(x)/SD(y), products times SD(x)·SD(z)/SD(y); tests stay the same.

    Predictors count in SDs over the dyads of the model, time and outcome over its rows: see
    `dyadline.inference.standardised`. A model that is pooled takes the SDs of the dyads that have all predictors.

    Returns
    -------
    The columns of `fixed_effects` that a coefficient table has, ``model`` first.
    """
    factors = []
    for number, fitted in zip(models.numbers, models.fits, strict=True):
        made = standardised(fitted, "normal", sd=dyad_sds(models.frame, fitted))
        plain = coefficients(fitted, "normal")
        factors.append((number, made.select("term", factor=pl.col("std_error") / plain["std_error"])))
    joined = fixed_effects.join(stacked(factors), on=["model", "term"], how="inner", maintain_order="left")
    order = ("term", "estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high")
    return joined.with_columns(pl.col(name) * pl.col("factor") for name in SCALED).select("model", *order)


def dyad_sds(frame: pl.DataFrame, fitted: Fit) -> Mapping[str, float]:
    """SD over dyads (n − 1) of each predictor of a model."""
    dyads = dyads_of(frame, fitted)
    return {name: float(dyads[name].std()) for name in predictors([fitted.spec])}  # type: ignore[arg-type]


def _reductions(models: OutcomeModels, plan: AnalysisPlan) -> pl.DataFrame:
    """How much smaller each variance is than in Model 1 on the same rows."""
    null_spec = outcome_model(1, plan, random=models.levels.random)
    found = []
    for number, fitted in zip(models.numbers, models.fits, strict=True):
        if number == 1:
            continue
        known = pl.all_horizontal(pl.col(predictors([fitted.spec])).is_not_null())
        # Rows are told by their place, so those that the model cannot use stay where they are, without an outcome.
        rows = models.frame.with_columns(pl.when(known).then("outcome").alias("outcome"))
        null = fit_model(1, null_spec, rows, fitted.method, plan)
        found.append((number, pseudo_r_squared(null, fitted).rename({"model": "with_predictors"})))
    empty = {
        "model": pl.Int32,
        **dict.fromkeys(("group", "term"), pl.String),
        **dict.fromkeys(("null", "with_predictors", "reduction"), pl.Float64),
        "note": pl.String,
    }
    return stacked(found) if found else pl.DataFrame(schema=empty)
