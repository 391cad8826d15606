"""What a fit says of each group: conditional modes of its random effects."""

from __future__ import annotations

import numpy as np

from dyadline.engine.moments import Array, Index
from dyadline.model.fit import Fit


def conditional_modes(fit: Fit) -> Array:
    """Conditional modes (BLUPs) of the random effects, (J, q), groups as in ``fit.design.labels``.

    `b_j = D Z_j'V_j⁻¹(y_j − X_j β)`, which needs only the moments.
    """
    made, found = fit.design, fit.solution
    residual = made.moments.products @ np.append(-found.evaluation.beta, 1.0)
    modes = np.einsum("jrs,js->jr", _relative_shrinkage(fit), residual)
    return np.asarray(made.response_scale * modes @ made.to_random.T)


def curves_for(fit: Fit, group: Index, random: Array, response: Array) -> Array:
    """Curves (fixed effects plus conditional modes) of a response at the variances of a fit, (J, q).

    The fixed effects are estimated anew from the response by generalised least squares. For models whose
    fixed and random columns are the same, such as ``rating ~ t + (t | dyad)``; for the response that was
    fitted, the curves are those of the fit.

    Parameters
    ----------
    fit
        Fitted to a response that was there on exactly these rows.
    group
        Group of each row, (n,), numbered as ``fit.design.labels``.
    random
        Columns of the random effects in named units, (n, q).
    response
        (n,), in the units of the data.
    """
    made, relative = fit.design, fit.solution.relative
    moments = made.moments
    sums = np.stack(
        [np.bincount(group, c * response, minlength=moments.n_groups) for c in (random @ made.to_random).T], axis=1
    )
    inner = np.linalg.inv(np.eye(moments.n_random) + relative @ moments.gram)
    precision = np.tensordot(moments.counts, moments.gram @ inner, axes=1)
    per_group = inner[moments.cell]
    fixed = np.linalg.solve(precision, np.einsum("jrs,jr->s", per_group, sums))
    left = sums - moments.gram[moments.cell] @ fixed
    modes = np.einsum("jrs,js->jr", per_group @ relative, left)
    return np.asarray((fixed + modes) @ made.to_random.T)


def shrinkage(fit: Fit) -> Array:
    """R_j with `E(b̂_j | b_j) = R_j b_j`, (J, q, q), in named units: 0 all noise, identity none."""
    made = fit.design
    inner = _relative_shrinkage(fit) @ made.moments.gram[made.moments.cell]
    return np.asarray(made.to_random @ inner @ np.linalg.inv(made.to_random))


def _relative_shrinkage(fit: Fit) -> Array:
    """`(I + D C_j)⁻¹ D`, (J, q, q), of the standardised random effects."""
    moments, relative = fit.design.moments, fit.solution.relative
    per_cell = np.linalg.inv(np.eye(moments.n_random) + relative @ moments.gram) @ relative
    return np.asarray(per_cell[moments.cell])
