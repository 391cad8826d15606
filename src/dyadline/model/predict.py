"""What a fit says of each group: conditional modes of its random effects, and its curve."""

from __future__ import annotations

import numpy as np

from dyadline.engine.moments import Array
from dyadline.model.fit import Fit, estimates


def conditional_modes(fit: Fit) -> Array:
    """Conditional modes (BLUPs) of the random effects, (J, q), groups as in ``fit.design.labels``.

    `b_j = D Z_j'V_j⁻¹(y_j − X_j β)`, which needs only the moments.
    """
    made, found = fit.design, fit.solution
    moments, relative = made.moments, found.relative
    residual = moments.products @ np.append(-found.evaluation.beta, 1.0)
    shrink = np.linalg.inv(np.eye(moments.n_random) + relative @ moments.gram) @ relative
    modes = np.einsum("jrs,js->jr", shrink[moments.cell], residual)
    return np.asarray(made.response_scale * modes @ made.to_random.T)


def mode_covariances(fit: Fit) -> Array:
    """Covariance matrix of b − b̂ given the fixed effects, (J, q, q): what the data leave unknown of a group."""
    made, found = fit.design, fit.solution
    moments, relative = made.moments, found.relative
    shrink = np.linalg.inv(np.eye(moments.n_random) + relative @ moments.gram) @ relative
    named = made.to_random @ shrink @ made.to_random.T
    return np.asarray(fit.sigma**2 * named[moments.cell])


def curves(fit: Fit) -> Array:
    """Coefficients of each group's own curve, (J, q): fixed effect plus conditional mode.

    Random effects without a fixed counterpart keep their mode alone.
    """
    beta, _ = estimates(fit)
    fixed = dict(zip(fit.design.terms, beta, strict=True))
    own = np.array([fixed.get(effect, 0.0) for effect in fit.design.effects])
    return np.asarray(conditional_modes(fit) + own)
