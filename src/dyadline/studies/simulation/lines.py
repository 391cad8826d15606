"""True lines of dyads from standard normal numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dyadline.engine.moments import Array
from dyadline.plan.truth import CoefficientsTruth, Truth
from dyadline.plan.truth_checks import effects_covariance
from dyadline.studies.simulation.true_scores import true_convergence, true_predictors, window

TOLERANCE = 1e-12
"""A pivot this small, beside the variance, is rounding of a zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Centres:
    """What predictors are centred at, and true convergence standardised with.

    Attributes
    ----------
    convergence, spread
        Mean and standard deviation of true convergence.
    predictors
        Means of the other predictors.
    """

    convergence: float | Array
    spread: float | Array
    predictors: dict[str, float]


def semidefinite_root(covariance: Array) -> Array:
    """Lower triangular L with LL' = a positive semi-definite matrix, (q, q); columns of zeros where it is singular."""
    root = np.zeros_like(covariance)
    for j in range(len(covariance)):
        pivot = covariance[j, j] - root[j, :j] @ root[j, :j]
        if pivot > TOLERANCE * covariance[j, j]:
            root[j, j] = np.sqrt(pivot)
            root[j + 1 :, j] = (covariance[j + 1 :, j] - root[j + 1 :, :j] @ root[j, :j]) / root[j, j]
    return root


def mixed(root: Array, standard: Array) -> Array:
    """L z along the second last axis, (..., q, J), entry by entry: what a dyad gets does not depend on its company."""
    made = np.zeros(standard.shape)
    for i, j in zip(*np.nonzero(root), strict=True):
        made[..., i, :] += root[i, j] * standard[..., j, :]
    return made


def rating_lines(truth: Truth, standard: Array, levels: Array | None) -> Array:
    """Intercepts and slopes of both raters, (R, 4, J).

    Parameters
    ----------
    standard
        Standard normal numbers, at least four of each dyad, (R, 4 or more, J).
    levels
        What the therapist adds to the level of the patient's and of the therapist's ratings, (R, 2, J).
    """
    patient, therapist = truth.alliance.patient, truth.alliance.therapist
    means = np.array([patient.intercept, patient.slope, therapist.intercept, therapist.slope])
    lines = mixed(semidefinite_root(effects_covariance(truth)[:4, :4]), standard[:, :4])
    lines += means[:, None]
    if levels is not None:
        lines[:, ::2] += levels
    return lines


def expected_predictors(truth: Truth, baseline: float) -> dict[str, float]:
    """Means over all dyads of the predictors that are linear in the true lines, and of the baseline."""
    patient, therapist = truth.alliance.patient, truth.alliance.therapist
    return {
        "baseline": baseline,
        "early_patient": patient.intercept,
        "early_therapist": therapist.intercept,
        "early_discrepancy": patient.intercept - therapist.intercept,
        "development": (patient.slope + therapist.slope) / 2.0 * window(truth),
    }


def centred_predictors(
    truth: Truth, ratings: Array, baseline: Array, centres: Centres
) -> tuple[dict[str, Array], Array]:
    """Centred predictors of true curves, (R, J) each, and standardised true convergence, (R, J)."""
    found = {**true_predictors(np.moveaxis(ratings, 1, 0), truth), "baseline": baseline}
    centred = {name: value - centres.predictors[name] for name, value in found.items()}
    centred["convergence"] = true_convergence(np.moveaxis(ratings, 1, 0), truth) - centres.convergence
    centred["product"] = centred["development"] * centred["convergence"]
    spread = np.asarray(centres.spread)
    standardised = centred["convergence"] / np.where(spread > 0.0, spread, 1.0)
    return centred, standardised


def outcome_lines(
    truth: Truth, standard: Array, centred: dict[str, Array], standardised: Array, added: Array | None
) -> Array:
    """Intercepts and slopes of the outcome, (R, 2, J).

    With a standardised effect β the random slope u becomes `β τ z + √(1 − β²) u`, where z is standardised true
    convergence and τ² the variance of u: the variance stays τ², and the slope's covariance with the intercept shrinks
    by √(1 − β²).

    Parameters
    ----------
    standard
        Standard normal numbers of the random effects, (R, 6, J).
    centred, standardised
        As `centred_predictors` gives them.
    added
        What the therapist adds to intercept and slope, (R, 2, J).
    """
    covariance = effects_covariance(truth)
    lines = mixed(semidefinite_root(covariance), standard)[:, 4:]
    effect = truth.outcome.effect
    if effect is not None:
        lines[:, 1] *= np.sqrt(1.0 - effect**2)
        lines[:, 1] += effect * np.sqrt(covariance[5, 5]) * standardised
    for place, part in enumerate((truth.outcome.fixed, truth.outcome.slope)):
        lines[:, place] += predicted(part, centred)
    if added is not None:
        lines += added
    return lines


def predicted(part: CoefficientsTruth, centred: dict[str, Array]) -> Array | float:
    """What the fixed part adds for dyads with these predictors, (...)."""
    total: Array | float = part.intercept
    for name, value in centred.items():
        if coefficient := getattr(part, name):
            total = total + coefficient * value
    return total
