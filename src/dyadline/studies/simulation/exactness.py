"""Samples whose means, variances and covariances are exactly those of the population."""

from __future__ import annotations

import numpy as np

from dyadline.engine.moments import Array
from dyadline.errors import PlanError
from dyadline.plan.truth import Truth


def exact_numbers(standard: Array, beside: Array | None = None) -> Array:
    """Numbers with mean 0, variance 1 and no correlation in the sample, as near as can be to those given.

    They are centred, freed of what `beside` explains, and multiplied by the inverse root of their own covariance
    matrix (n − 1 in the denominator), twice, so that rounding is left alone.

    Parameters
    ----------
    standard
        q variables of n units, (q, n).
    beside
        Further variables that the result is to be uncorrelated with, (p, n); they may depend on each other.

    Source: Ripley, B. D. (1987). Stochastic simulation. Wiley, p. 98; as `MASS::mvrnorm(empirical = TRUE)`.
    """
    n = standard.shape[1]
    other = None
    if beside is not None:
        centred = beside - beside.mean(axis=1, keepdims=True)
        basis, values, _ = np.linalg.svd(centred.T, full_matrices=False)
        other = basis[:, values > 1e-9 * values[0]]
    made = standard
    for _ in range(2):
        made = made - made.mean(axis=1, keepdims=True)
        if other is not None:
            made = made - (made @ other) @ other.T
        made = np.linalg.solve(np.linalg.cholesky(made @ made.T / (n - 1)), made)
    return np.asarray(made)


def check_exactness(truth: Truth) -> None:
    """Refuse designs that are too small for exact moments.

    Raises
    ------
    PlanError
        Saying how many dyads or therapists it takes.
    """
    needed = 9 if truth.outcome.effect is None else 10
    if truth.dyads < needed:
        raise PlanError(f"Exact moments need at least {needed} dyads, not {truth.dyads}", where="dyads")
    effects = truth.therapist_effects
    varying = sum(sd > 0.0 for sd in (*effects.outcome, effects.patient, effects.therapist))
    therapists = sum(truth.therapists.values())
    if varying and therapists <= varying:
        raise PlanError(
            f"Exact moments of {varying} therapist effects need at least {varying + 1} therapists, not {therapists}",
            where="therapists",
        )
