"""Responses drawn from a fitted model: what else might have been observed if it were true."""

from __future__ import annotations

import numpy as np

from dyadline.engine.moments import Array
from dyadline.errors import whole_number
from dyadline.model.fit import Fit


def simulate_responses(fit: Fit, replicates: int, *, seed: int = 1) -> Array:
    """Draw responses at the estimates of a fit: new random effects of every level and new residuals.

    Parameters
    ----------
    fit
        A fit.
    replicates
        R, at least 1.
    seed
        Of the random numbers, from 0: the same seed gives the same digits.

    Returns
    -------
    (n, R), in the units of the data, rows as in ``fit.design.source.row_numbers``.

    Raises
    ------
    PlanError
        A negative seed, or no replicate asked for.
    """
    replicates, seed = whole_number(replicates, "The number of replicates", 1), whole_number(seed, "The seed", 0)
    made, found = fit.design, fit.solution
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    rows, starts = made.source.rows(), made.source.starts
    sizes = np.diff(np.append(starts, made.source.n))
    m = made.structure.residual.size
    y = made.residual.draw(rng.standard_normal((made.source.n, replicates)), found.theta[:m])
    inner = np.repeat(np.arange(len(starts)), sizes)
    places = [inner] if rows.unit is None else [inner, rows.unit[inner]]
    columns = [rows.random] if rows.above is None else [rows.random, rows.above]
    for place, z, level, part in zip(places, columns, made.structure.levels, made.structure.parts, strict=True):
        factor = level.factor(found.theta[part])
        effects = np.einsum("qk,jkr->jqr", factor, rng.standard_normal((place.max() + 1, level.size, replicates)))
        for number, column in enumerate(z.T):
            y += column[:, None] * effects[place, number]
    sigma = np.sqrt(found.evaluation.variance(fit.method))
    y = sigma * y + (rows.columns[:, :-1] @ found.evaluation.beta)[:, None]
    return np.asarray(made.response_shift + made.response_scale * y)
