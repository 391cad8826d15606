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


def modes_for(fit: Fit, group: Index, random: Array, residual: Array) -> Array:
    """Conditional modes that other responses on the same rows would have at the same variances, (J, q).

    Parameters
    ----------
    fit
        Fitted to a response that was there on exactly these rows.
    group
        Group of each row, (n,), numbered as ``fit.design.labels``.
    random
        Columns of the random effects in named units, (n, q).
    residual
        Response less its fixed part, (n,).
    """
    made = fit.design
    standardised = random @ made.to_random
    sums = np.stack(
        [np.bincount(group, column * residual, minlength=made.moments.n_groups) for column in standardised.T],
        axis=1,
    )
    return np.asarray(np.einsum("jrs,js->jr", _relative_shrinkage(fit), sums) @ made.to_random.T)


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
