"""What a fit says of each group: conditional modes of its random effects, and curves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dyadline.engine.modes import conditional
from dyadline.engine.moments import Array
from dyadline.model.fit import Fit


def conditional_modes(fit: Fit) -> tuple[Array, ...]:
    """Conditional modes (BLUPs) of the random effects, (J, q) each level, innermost first.

    Groups as in ``fit.design.groupings[level].labels``.
    """
    return tuple(modes for modes, _ in conditional_effects(fit))


def conditional_effects(fit: Fit) -> tuple[tuple[Array, Array], ...]:
    """Conditional modes, (J, q), and their covariance given the parameters, (J, q, q), of each level.

    The covariance is lme4's ``condVar``: that of the true effects around the modes, variances and fixed effects
    taken as known.
    """
    made, found = fit.design, fit.solution
    combination = np.append(-found.evaluation.beta, 1.0)
    levels = conditional(made.moments, made.structure, found.theta, combination)
    return tuple(
        (
            made.response_scale * modes @ grouping.to_random.T,
            fit.sigma**2 * grouping.to_random @ spread @ grouping.to_random.T,
        )
        for grouping, (modes, spread) in zip(made.groupings, levels, strict=True)
    )


def curve_estimator(fit: Fit) -> Callable[[Array], Array]:
    """How curves (fixed effects plus conditional modes) are estimated at the variances of a fit.

    For models of one level of groups whose fixed and random columns are the same, such as
    ``rating ~ t + (t | dyad)`` or ``cbind(patient, therapist) ~ t + (t | dyad)``.

    Returns
    -------
    A function from a response, (rows of the fitted frame,), in the units of the data, to the curves, (J, q); or from R
    responses at once, (rows, R), to (J, R, q). The fixed effects are estimated anew by generalised least squares; for
    the response that was fitted the curves are those of the fit.
    """
    made, found = fit.design, fit.solution
    (relative,), (grouping,) = found.relative, made.groupings
    rows, starts = made.source.rows(), made.source.starts
    weighted = made.residual.times_inverse(rows.random, starts, found.theta[: made.structure.residual.size])
    q = weighted.shape[1]
    gram = np.stack([np.add.reduceat(weighted * rows.random[:, r, None], starts, axis=0) for r in range(q)], axis=1)
    inner = np.linalg.inv(np.eye(q) + relative @ gram)
    precision = np.linalg.inv((gram @ inner).sum(axis=0))

    def curves(response: Array) -> Array:
        y = response[made.source.row_numbers]
        each = weighted.reshape(*weighted.shape, *(1,) * (y.ndim - 1))
        sums = np.add.reduceat(each * y[:, None], starts, axis=0)
        fixed = precision @ np.einsum("jrs,jr...->s...", inner, sums)
        left = sums - gram @ fixed
        modes = np.einsum("jrs,js...->jr...", inner @ relative, left)
        return np.asarray(np.moveaxis(fixed + modes, 1, -1) @ grouping.to_random.T)

    return curves


def shrinkage(fit: Fit) -> Array:
    """R_j with `E(b̂_j | b_j) = R_j b_j`, (J, q, q), in named units: 0 all noise, identity none.

    For models with one level of groups and independent residuals.
    """
    made, (relative,) = fit.design, fit.solution.relative
    moments, back = made.moments, made.groupings[0].to_random
    inner = np.linalg.inv(np.eye(moments.n_random) + relative @ moments.gram) @ relative @ moments.gram
    return np.asarray(back @ inner[moments.cell] @ np.linalg.inv(back))
