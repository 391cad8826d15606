"""The growth models of a study's ratings: one per rater, or one of both raters together.

The joint model is that of Raudenbush, Brennan and Barnett (1995): two intercepts and two slopes vary over dyads
and correlate, each rater has a residual variance, and the residuals of one occasion correlate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from dyadline.engine.moments import Array, Index
from dyadline.errors import DyadlineError
from dyadline.inference.coefficients import coefficients
from dyadline.inference.variance import RESIDUAL, variance_components
from dyadline.model.fit import Fit, estimates, fit, random_covariance
from dyadline.model.predict import conditional_modes, curve_estimator, shrinkage
from dyadline.scoring.ratings import RATERS, Lines, Ratings, least_squares_lines

BOTH = "both"
"""Name of the joint model among the fits."""

EFFECTS = ("patient", "patient:t", "therapist", "therapist:t")
"""Intercept and slope of each rater as the joint model calls them, in the order that is used everywhere here."""

Curves = Callable[[Ratings], "dict[str, Lines] | None"]
"""How curves are estimated from ratings; ``None`` for raw ratings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthModels:
    """The fitted growth models of a study.

    Attributes
    ----------
    kind
        ``multilevel``: one per rater; ``dyadic``: a joint one.
    fits
        By rater, or the joint one as ``both``.
    observed
        The ratings that were fitted.
    """

    kind: Literal["multilevel", "dyadic"]
    fits: Mapping[str, Fit]
    observed: Ratings


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """What growth models say of all dyads; effects in the order of `EFFECTS`.

    Attributes
    ----------
    fixed
        Mean intercepts and slopes, (4,).
    covariance
        Of the dyads' intercepts and slopes, (4, 4), positive semi-definite.
    noise
        Lower triangular root of the residuals' covariance matrix at one occasion, patient first, (2, 2).
    """

    fixed: Array
    covariance: Array
    noise: Array

    @property
    def root(self) -> Array:
        """Of the covariance matrix, also of a singular one, (4, 4): ``root @ root.T`` is the matrix."""
        values, vectors = np.linalg.eigh(self.covariance)
        return np.asarray(vectors * np.sqrt(np.clip(values, 0.0, None)))


def growth_models(observed: Ratings, kind: Literal["multilevel", "dyadic"] = "multilevel") -> GrowthModels:
    """Fit `rating ~ t + (t | dyad)` to each rater, or `cbind(patient, therapist) ~ t + (t | dyad)`, by REML.

    Raises
    ------
    DyadlineError
        With the rater's name, where a model cannot be fitted.
    """
    frame = pl.DataFrame({**observed.value, "t": observed.t, "dyad": observed.dyads.gather(observed.index)})
    if kind == "dyadic":
        fits = {BOTH: _fitted("cbind(patient, therapist) ~ t + (t | dyad)", frame, "both raters'")}
    else:
        fits = {rater: _fitted(f"{rater} ~ t + (t | dyad)", frame, f"the {rater}'s") for rater in RATERS}
    return GrowthModels(kind=kind, fits=fits, observed=observed)


def _fitted(formula: str, frame: pl.DataFrame, whose: str) -> Fit:
    try:
        return fit(formula, frame)
    except DyadlineError as error:
        joint = formula.startswith("cbind")
        raise type(error)(
            f"No growth curves for {whose} ratings: {error.what}",
            where="convergence.growth",
            way_out='Use growth = "multilevel", a model for each rater'
            if joint
            else 'Look at how these ratings vary; growth = "ols" or "observed" needs no model of them',
        ) from error


def curves(growth: str, models: GrowthModels | None) -> Curves:
    """How curves come from ratings: by conditional modes at fixed variances, by least squares, or not at all.

    The function that is returned takes the ratings that were fitted, or simulated ones on the same rows, or several
    such studies one after the other, as `simulated_ratings` makes them; each is estimated by itself. Lines are NaN for
    a rater who never rated a dyad, also where the joint model could guess them from the other rater.

    Parameters
    ----------
    growth
        The plan's choice.
    models
        Needed for ``multilevel`` and ``dyadic``.
    """
    if models is not None and growth == models.kind:
        return _joint_curves(models) if growth == "dyadic" else _separate_curves(models)

    def least_squares(ratings: Ratings) -> dict[str, Lines]:
        return {
            rater: least_squares_lines(ratings.index, ratings.t, ratings.value[rater], ratings.n_dyads)
            for rater in RATERS
        }

    def none(ratings: Ratings) -> None:
        return None

    return none if growth == "observed" else least_squares


def _separate_curves(models: GrowthModels) -> Curves:
    estimators = {rater: curve_estimator(models.fits[rater]) for rater in RATERS}
    dyads = {rater: _dyads(models.fits[rater], models.observed) for rater in RATERS}

    def lines(ratings: Ratings) -> dict[str, Lines]:
        found = {}
        for rater in RATERS:
            line = np.full((ratings.n_dyads // models.observed.n_dyads, models.observed.n_dyads, 2), np.nan)
            line[:, dyads[rater]] = _each_study(estimators[rater], ratings.value[rater].reshape(len(line), -1))
            found[rater] = Lines(intercept=line[..., 0].ravel(), slope=line[..., 1].ravel())
        return found

    return lines


def _joint_curves(models: GrowthModels) -> Curves:
    model, observed = models.fits[BOTH], models.observed
    estimator, dyads = curve_estimator(model), _dyads(model, observed)
    order = _order(model.design.groupings[0].effects)
    silent = {
        rater: np.bincount(observed.index[np.isfinite(observed.value[rater])], minlength=observed.n_dyads) == 0
        for rater in RATERS
    }

    def lines(ratings: Ratings) -> dict[str, Lines]:
        line = np.full((ratings.n_dyads // observed.n_dyads, observed.n_dyads, 4), np.nan)
        # The joint model's rows are all of the patient's ratings, then all of the therapist's.
        both = np.concatenate([ratings.value[rater].reshape(len(line), -1) for rater in RATERS], axis=1)
        line[:, dyads] = _each_study(estimator, both)[..., order]
        found = {}
        for number, rater in enumerate(RATERS):
            own = np.where(silent[rater][:, None], np.nan, line[..., 2 * number : 2 * number + 2])
            found[rater] = Lines(intercept=own[..., 0].ravel(), slope=own[..., 1].ravel())
        return found

    return lines


def _each_study(estimator: Callable[[Array], Array], responses: Array) -> Array:
    """Curves, (R, groups, q), from responses, (R, rows)."""
    if len(responses) == 1:
        return estimator(responses[0])[None]
    return np.moveaxis(estimator(responses.T), 1, 0)


def _dyads(model: Fit, observed: Ratings) -> Index:
    """Number among all dyads of each group of a model."""
    place = {label: number for number, label in enumerate(observed.dyads.to_list())}
    return np.array([place[label] for label in model.design.groupings[0].labels.to_list()], dtype=np.intp)


def _order(names: tuple[str, ...]) -> list[int]:
    return [names.index(effect) for effect in EFFECTS]


def population(models: GrowthModels) -> Population:
    """Mean curves, covariance of the dyads' curves, and noise."""
    if models.kind == "multilevel":
        return Population(
            fixed=np.concatenate([estimates(models.fits[r])[0] for r in RATERS]),
            covariance=_joined(models),
            noise=np.diag([models.fits[r].sigma for r in RATERS]),
        )
    model = models.fits[BOTH]
    order = _order(model.design.groupings[0].effects)
    variances, correlation = residuals(variance_components(model))
    patient, therapist = np.sqrt(variances)
    along, beside = correlation * therapist, np.sqrt(1.0 - correlation**2) * therapist
    return Population(
        fixed=estimates(model)[0][_order(model.design.terms)],
        covariance=random_covariance(model)[0][np.ix_(order, order)],
        noise=np.array([[patient, 0.0], [along, beside]]),
    )


def residuals(components: pl.DataFrame) -> tuple[tuple[float, float], float]:
    """Residual variances of patient and therapist, and their correlation, of a joint model's table."""
    patient, therapist, correlation = components.filter(pl.col("group").str.starts_with(RESIDUAL))["estimate"]
    return (patient, therapist), correlation


def growth_tables(models: GrowthModels) -> dict[str, pl.DataFrame]:
    """``growth_fixed_effects, growth_random_effects``, of a joint model or of one per rater.

    Effects have the joint model's names in both (`EFFECTS`); separate models have no covariances between raters.
    """
    if models.kind == "dyadic":
        model = models.fits[BOTH]
        return {"growth_fixed_effects": coefficients(model), "growth_random_effects": variance_components(model)}
    fixed, random = [], []
    for rater in RATERS:
        called = {"(Intercept)": rater, "t": f"{rater}:t"}
        fixed.append(coefficients(models.fits[rater]).with_columns(pl.col("term").replace(called)))
        random.append(variance_components(models.fits[rater]).with_columns(pl.col("term1", "term2").replace(called)))
    return {"growth_fixed_effects": pl.concat(fixed), "growth_random_effects": pl.concat(random)}


def _joined(models: GrowthModels) -> Array:
    """Covariance of both raters' effects, (4, 4), from separate models.

    The blocks between raters are those that explain the cross-products of the conditional modes: modes are
    true effects shrunk by known matrices R_j, so `E b̂_P b̂_T' = mean R_Pj Σ_PT R_Tj'` is linear in Σ_PT.
    """
    within = {r: random_covariance(models.fits[r])[0] for r in RATERS}
    place = {r: _dyads(models.fits[r], models.observed) for r in RATERS}
    _, *rows = np.intersect1d(place["patient"], place["therapist"], assume_unique=True, return_indices=True)
    modes, shrunk = {}, {}
    for rater, own in zip(RATERS, rows, strict=True):
        modes[rater] = conditional_modes(models.fits[rater])[0][own]
        shrunk[rater] = shrinkage(models.fits[rater])[own]
    n = max(1, len(rows[0]))
    cross = np.einsum("jr,js->rs", modes["patient"], modes["therapist"]) / n
    system = np.einsum("jra,jsb->rsab", shrunk["patient"], shrunk["therapist"]) / n
    between = np.linalg.lstsq(system.reshape(4, 4), cross.ravel(), rcond=1e-6)[0].reshape(2, 2)
    full = np.block([[within["patient"], between], [between.T, within["therapist"]]])
    return _possible(full)


def _possible(full: Array) -> Array:
    """The covariance matrix with its between-rater part shrunk until it is positive semi-definite."""
    blocks = np.zeros_like(full)
    blocks[:2, :2], blocks[2:, 2:] = full[:2, :2], full[2:, 2:]
    share = 1.0
    limit = -1e-10 * max(1e-300, float(np.trace(full)))
    while share > 1e-3 and np.linalg.eigvalsh(share * full + (1 - share) * blocks)[0] < limit:
        share *= 0.9
    return np.asarray(share * full + (1 - share) * blocks if share > 1e-3 else blocks)
