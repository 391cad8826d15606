"""The truth that a result estimates: parameters from which studies like it can be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import polars as pl

from dyadline.data.dataset import Dataset
from dyadline.engine.moments import Array
from dyadline.errors import DyadlineError
from dyadline.model.fit import Fit, estimates, fit, random_covariance
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.recipes import random_part
from dyadline.plan.truth import NamesTruth, Truth
from dyadline.plan.truth_checks import OWN_COLUMNS
from dyadline.scoring.growth import growth_models, population
from dyadline.scoring.ratings import ratings
from dyadline.scoring.score import Scoring
from dyadline.studies.outcome import outcome_rows
from dyadline.studies.simulation.gaps import missing_shares
from dyadline.studies.simulation.occasions import Grid, grid

LARGEST = 0.999
"""A correlation in a truth is smaller than one."""


@runtime_checkable
class Analysed(Protocol):
    """What `dyadline.run` gives, as far as it is needed here."""

    @property
    def plan(self) -> AnalysisPlan:
        """What was asked."""

    @property
    def dataset(self) -> Dataset:
        """What was observed."""

    @property
    def scoring(self) -> Scoring:
        """How the scores came about."""

    @property
    def fits(self) -> Sequence[Fit]:
        """The outcome models."""


def truth_of_result(result: Analysed) -> Truth:
    """The parameters that a result estimates: of a study like the one analysed, without any effect of convergence.

    Curves are those of the plan's growth models (of multilevel ones, where the plan has none), on the file's own time.
    The outcome is that of Model 1 with the baseline as a predictor of the intercept: what convergence and the other
    predictors explain is part of its random effects. Where the baseline is the first outcome, it is a further
    measurement with the same error. Therapists' intercepts and slopes are taken as uncorrelated. Drop-out is constant;
    skipped occasions are told from drop-out by maximum likelihood. Ratings are neither cut off nor rounded. Put
    `outcome.effect` into the truth to have an effect.

    Parameters
    ----------
    result
        What `dyadline.run` computed.

    Raises
    ------
    DyadlineError
        If the growth models or Model 1 cannot be fitted.
    """
    plan, dataset = result.plan, result.dataset
    observed = ratings(dataset, plan.convergence.rating_window)
    rows = _rows(dataset, plan)
    when = grid(rows)
    scale = plan.time.scale
    models = result.scoring.growth or growth_models(observed)
    curves = population(models)
    start = (when.rated[0] - dataset.origin) / scale
    moved = np.kron(np.eye(2), [[1.0, start], [0.0, 1.0 / scale]])
    line = moved @ curves.fixed
    covariance = possible(moved @ curves.covariance @ moved.T)
    residual = curves.noise @ curves.noise.T
    spread = np.sqrt(np.diag(covariance))
    baseline = dataset.dyads["baseline"].drop_nulls().cast(pl.Float64).to_numpy()
    return Truth.model_validate(
        {
            "title": f"Simulated like {plan.title.removeprefix('Simulated like ')}" if plan.title else "",
            "dyads": dataset.n_dyads,
            "occasions": when.occasions,
            "rated": when.rated if when.rated != when.occasions else None,
            "measured": when.measured if when.measured != when.occasions else None,
            "names": _names(plan),
            "missing": missing_shares(rows, when),
            "alliance": {
                **{
                    rater: {
                        "intercept": float(line[place]),
                        "slope": float(line[place + 1]),
                        "sd": spread[place : place + 2].tolist(),
                        "r": _correlation(covariance, place, place + 1),
                        "residual": float(np.sqrt(residual[place // 2, place // 2])),
                    }
                    for rater, place in (("patient", 0), ("therapist", 2))
                },
                "between": _correlation(covariance, 0, 2),
                "residual_correlation": _correlation(residual, 0, 1),
            },
            "covariance": covariance.tolist(),
            "baseline": {"mean": float(baseline.mean()), "sd": float(baseline.std(ddof=1))},
            **_outcome(result, when, baseline),
        }
    )


def _rows(dataset: Dataset, plan: AnalysisPlan) -> pl.DataFrame:
    """What was observed inside the plan's windows: ``dyad, time, patient, therapist, outcome``."""
    rows = dataset.rows.select(
        "dyad", "time", patient="patient_rating", therapist="therapist_rating", outcome="outcome"
    )
    windows = {"patient": "rating_window", "therapist": "rating_window", "outcome": "outcome_window"}
    for column, key in windows.items():
        window = getattr(plan.convergence, key)
        if not isinstance(window, str):
            inside = pl.col("time").is_between(window[0], window[1])
            rows = rows.with_columns(pl.when(inside).then(pl.col(column)).alias(column))
    return rows.filter(pl.any_horizontal(pl.col("patient", "therapist", "outcome").is_not_null()))


def _names(plan: AnalysisPlan) -> dict[str, str]:
    """The plan's names of columns, where they can be names of a simulated file."""
    roles = {"time": "time", "patient": "patient_rating", "therapist": "therapist_rating", "outcome": "outcome"}
    names = {key: plan.columns.name(role) for key, role in roles.items()}
    if plan.columns.baseline != "first":
        names["baseline"] = plan.columns.name("baseline")
    every = {**NamesTruth().model_dump(), **names}
    plain = all("{" not in name and "…" not in name and name not in OWN_COLUMNS for name in every.values())
    return names if plain and len(set(every.values())) == len(every) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """Model 1 on the file's own time: fixed effects, covariances over dyads and therapists, residual variance."""

    line: Array
    baseline: float
    dyads: Array
    therapists: Array | None
    residual: float


def _outcome(result: Analysed, when: Grid, baseline: Array) -> dict[str, object]:
    plan, dataset = result.plan, result.dataset
    model = _model_1(result, when)
    effects = {"baseline": (model.baseline, 0.0)}
    covariance = model.dyads
    if plan.columns.baseline == "first" and (spread := float(baseline.var(ddof=1))) > 0.0:
        # A measurement x with the outcome's own error: what it says of (intercept, slope) is cov(u, x)/var(x).
        share = covariance[:, 0] / max(spread, covariance[0, 0])
        covariance = covariance - np.outer(share, share) * max(spread, covariance[0, 0])
        effects = {"baseline": (float(share[0]), float(share[1]))}
    covariance = possible(covariance)
    found: dict[str, object] = {
        "outcome": {
            "fixed": {"intercept": float(model.line[0]), **{name: pair[0] for name, pair in effects.items()}},
            "slope": {"intercept": float(model.line[1]), **{name: pair[1] for name, pair in effects.items()}},
            "random": {
                "intercept": float(covariance[0, 0]),
                "covariance": float(covariance[0, 1]),
                "slope": float(covariance[1, 1]),
            },
            "residual": model.residual,
        }
    }
    if plan.columns.therapist is not None:
        found["therapists"] = {"T": max(1, dataset.dyads["therapist"].drop_nulls().n_unique())}
        if model.therapists is not None:
            found["therapist_effects"] = {"outcome": np.sqrt(np.diag(model.therapists)).tolist()}
    return found


def _model_1(result: Analysed, when: Grid) -> _Model:
    plan, dataset = result.plan, result.dataset
    above = [fitted.design.groupings[1] for fitted in result.fits if len(fitted.design.groupings) > 1]
    three = len(above) > 0
    random = random_part(therapists=three, slopes=three and len(above[0].effects) > 1)
    # Three levels where the result has them, also where the plan left that open.
    levels = plan.models.model_copy(update={"levels": 3 if three else 2})
    rows = outcome_rows(dataset, plan.model_copy(update={"models": levels}))
    rows = rows.join(dataset.dyads.select("dyad", pl.col("baseline").cast(pl.Float64)), on="dyad", how="left")
    centre = float(dataset.dyads["baseline"].cast(pl.Float64).mean() or 0.0)  # type: ignore[arg-type]
    rows = rows.with_columns(pl.col("baseline") - centre)
    fitted = None
    if plan.columns.baseline != "first":
        try:
            fitted = fit(f"outcome ~ time + baseline + {random}", rows)
        except DyadlineError:
            fitted = None  # a baseline that says nothing has no effect
    fixed_baseline = fitted is not None
    if fitted is None:
        fitted = fit(f"outcome ~ time + {random}", rows)
    beta = estimates(fitted)[0]
    scale = plan.time.scale
    start = (when.occasions[0] - dataset.origin) / scale
    moved = np.array([[1.0, start], [0.0, 1.0 / scale]])
    covariances = random_covariance(fitted)
    therapists = None
    if three:
        therapists = np.zeros((2, 2))
        therapists[: len(covariances[1]), : len(covariances[1])] = covariances[1]
        therapists = moved @ therapists @ moved.T
    return _Model(
        line=moved @ beta[:2],
        baseline=float(beta[2]) if fixed_baseline else 0.0,
        dyads=moved @ covariances[0] @ moved.T,
        therapists=therapists,
        residual=fitted.sigma**2,
    )


def possible(covariance: Array) -> Array:
    """The nearest positive semi-definite matrix, exactly symmetric."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2.0)
    if values[0] >= 0.0:
        return np.asarray((covariance + covariance.T) / 2.0)
    near = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return np.asarray((near + near.T) / 2.0)


def _correlation(covariance: Array, i: int, j: int) -> float:
    size = float(np.sqrt(covariance[i, i] * covariance[j, j]))
    return float(np.clip(covariance[i, j] / size, -LARGEST, LARGEST)) if size > 0.0 else 0.0
