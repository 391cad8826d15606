"""Degrees of freedom of fixed effects."""

from __future__ import annotations

import numpy as np

from dyadline.engine.information import parameter_covariance
from dyadline.engine.moments import Array
from dyadline.model.fit import Fit


def satterthwaite(fit: Fit, contrasts: Array) -> Array:
    """Satterthwaite degrees of freedom of linear combinations of the named coefficients.

    `2 (l'Cl)² / (g'Ag)`: C the covariance matrix of the coefficients, g the gradient of l'Cl in the covariance
    parameters, A their covariance matrix from the observed information.

    Parameters
    ----------
    fit
        A fit.
    contrasts
        Rows l, (m, p).

    Returns
    -------
    (m,), infinite where the covariance parameters leave l'Cl no uncertainty.

    References
    ----------
    Satterthwaite, F. E. (1946). Biometrics Bulletin, 2, 110–114. Giesbrecht, F. G., & Burns, J. C. (1985).
    Biometrics, 41, 477–486.
    """
    made, solution = fit.design, fit.solution
    found = solution.evaluation
    s = found.variance(fit.method)
    p = len(found.beta)
    half = contrasts @ made.to_fixed @ found.inverse  # l'(X'V⁻¹X)⁻¹
    size = np.einsum("mc,mc->m", half, contrasts @ made.to_fixed)
    in_entries = -s * np.einsum("mc,icd,md->mi", half, found.d_products[:, :p, :p], half, optimize=True)
    in_theta = in_entries @ made.structure.jacobian(solution.theta)
    gradient = np.concatenate([in_theta, size[:, None]], axis=1)
    covariance = parameter_covariance(made.structure, solution, fit.method)
    spread = np.einsum("mi,ij,mj->m", gradient, covariance, gradient)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0.0, 2.0 * (s * size) ** 2 / spread, np.inf)
