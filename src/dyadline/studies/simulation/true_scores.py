"""What the true curves of both raters say of a dyad: convergence, early levels, development."""

from __future__ import annotations

import numpy as np

from dyadline.engine.moments import Array
from dyadline.plan.truth import TrueConvergence, Truth


def true_convergence(ratings: Array, truth: Truth) -> Array:
    """Convergence of true curves at all rated occasions, as `outcome.convergence` defines it, (...).

    Parameters
    ----------
    ratings
        Intercepts and slopes ``patient, patient:t, therapist, therapist:t``, (4, ...).
    truth
        Occasions and definition.

    Notes
    -----
    The sum runs over occasions one by one: the result of a dyad does not depend on the others in the array.
    """
    how = truth.outcome.convergence
    t = rated_times(truth)
    signed = ratings[0] - ratings[2], ratings[1] - ratings[3]
    first, last = _gap(signed, t[0], how), _gap(signed, t[-1], how)
    if how.slope == "endpoints":
        raw = np.abs(first) - np.abs(last)
    else:
        weights = (t - t.mean()) / np.sum((t - t.mean()) ** 2) * window(truth)
        change = np.zeros_like(signed[0])
        for time, weight in zip(t, weights, strict=True):
            change += weight * _gap(signed, time, how)
        raw = -np.sign(first) * change if how.slope == "toward_zero" else -change
    if how.transform == "signed_log":
        return np.asarray(np.sign(raw) * np.log1p(np.abs(raw)))
    return np.asarray(np.arcsinh(raw)) if how.transform == "asinh" else raw


def true_predictors(ratings: Array, truth: Truth) -> dict[str, Array]:
    """``early_patient, early_therapist, early_discrepancy, development`` of true curves, (...) each."""
    return {
        "early_patient": ratings[0],
        "early_therapist": ratings[2],
        "early_discrepancy": ratings[0] - ratings[2],
        "development": (ratings[1] + ratings[3]) / 2.0 * window(truth),
    }


def rated_times(truth: Truth) -> Array:
    """Rated occasions, counted from the first of them."""
    rated = np.array(truth.rated_occasions)
    return np.asarray(rated - rated[0])


def window(truth: Truth) -> float:
    """What a slope per unit of time is multiplied by: the rating window, or 1."""
    return float(rated_times(truth)[-1]) if truth.outcome.convergence.unit == "window" else 1.0


def _gap(signed: tuple[Array, Array], time: float, how: TrueConvergence) -> Array:
    difference = signed[0] + signed[1] * time
    if how.discrepancy == "absolute":
        return np.asarray(np.abs(difference))
    return np.asarray(np.square(difference)) if how.discrepancy == "squared" else difference
