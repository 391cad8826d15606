"""The outcome's course that a model expects where convergence, or alliance development, is low, average and high."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl

from dyadline.data.dataset import Dataset
from dyadline.engine.moments import Array
from dyadline.inference.coefficients import tested
from dyadline.model.fit import Fit
from dyadline.plan.analysis import AnalysisPlan
from dyadline.scoring.score import Scoring
from dyadline.studies.outcome import OutcomeModels, dyads_of, main_model, placed_rows, predictors

SHOWN = ("convergence", "development")
"""Predictors whose levels are told apart."""

LEVELS = (-1.0, 0.0, 1.0)
"""Distance from the mean over dyads, in SDs over dyads."""

POINTS = 25
"""Of a course, at least: its band is curved."""

SCHEMA = {
    "model": pl.Int32,
    "predictor": pl.String,
    **dict.fromkeys(("sds", "value", "time", "t", "estimate", "std_error", "df", "conf_low", "conf_high"), pl.Float64),
}


def trajectories(models: OutcomeModels, dataset: Dataset, scoring: Scoring, plan: AnalysisPlan) -> pl.DataFrame:
    """Courses of the outcome with pointwise 95 % confidence bands, from the fixed effects.

    Of the model with the highest number, if it has convergence. One predictor at a time lies one SD below, at and one
    SD above its mean; all others lie at their means. Mean and SD are those over the dyads of the model.

    Returns
    -------
    ``model, predictor`` (``convergence`` or ``development``), ``sds`` (−1, 0 or 1), ``value`` (of the predictor, as
    it is before centring), ``time`` (as the data have it), ``t`` (as the model counts it), ``estimate, std_error,
    df`` (as the plan asks for), ``conf_low, conf_high``. Empty where no model has convergence.
    """
    number, fitted = main_model(models)
    names = predictors([fitted.spec])
    if "convergence" not in names:
        return pl.DataFrame(schema=SCHEMA)
    dyads = dyads_of(models.frame, fitted)
    means = {name: float(dyads[name].mean()) for name in names}  # type: ignore[arg-type]
    before = scoring.scores.filter(pl.col("dyad").is_in(dyads["dyad"].to_list()))
    moments = occasions(placed_rows(models.frame)["time"])
    parts = []
    for predictor in (name for name in SHOWN if name in names):
        sd = float(dyads[predictor].std())  # type: ignore[arg-type]
        for level in LEVELS:
            here = means | {predictor: means[predictor] + level * sd}
            value = float(before[predictor].mean()) + level * sd  # type: ignore[arg-type]
            parts.append((predictor, level, value, expected_rows(fitted, here, moments)))
    found = tested(fitted, np.vstack([rows for *_, rows in parts]), plan.models.df, 0.95)
    m = len(moments)
    table = pl.DataFrame(
        {
            "predictor": np.repeat([predictor for predictor, *_ in parts], m),
            "sds": np.repeat([level for _, level, *_ in parts], m),
            "value": np.repeat([value for _, _, value, _ in parts], m),
            "time": np.tile(dataset.origin + plan.time.scale * moments, len(parts)),
            "t": np.tile(moments, len(parts)),
            **{name: found[name] for name in ("estimate", "std_error", "df", "conf_low", "conf_high")},
        }
    )
    return table.select(pl.lit(number, pl.Int32).alias("model"), pl.all())


def expected_rows(fitted: Fit, values: dict[str, float], moments: Array) -> Array:
    """Rows of X at the moments for a dyad with these predictors, (m, p)."""
    known = {**{name: np.full(len(moments), value) for name, value in values.items()}, "time": moments}
    one = np.ones(len(moments))
    return np.column_stack([np.prod([one, *(known[v.column] for v in term)], axis=0) for term in fitted.spec.fixed])


def occasions(times: pl.Series) -> Array:
    """The study's occasions, and as many moments between each two as make the course smooth, (m,).

    Where there are more than `POINTS` occasions, evenly spread moments instead.
    """
    known = times.unique().sort().to_numpy()
    if len(known) > POINTS:
        return np.linspace(known[0], known[-1], POINTS)
    between = -(-(POINTS - 1) // max(len(known) - 1, 1))
    steps = [np.linspace(a, b, between, endpoint=False) for a, b in pairwise(known)]
    return np.concatenate([*steps, known[-1:]])
