"""Degrees of freedom of fixed effects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dyadline.engine.information import parameter_covariance
from dyadline.engine.moments import Array
from dyadline.model.fit import Fit

DEPENDENT = 1e-10
"""Share of a contrast's standard error, not explained by the contrasts before it, that is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JointTest:
    """An F test of several contrasts.

    Attributes
    ----------
    f
        The statistic, scaled.
    df1, df2
        Independent contrasts; denominator degrees of freedom.
    scaling
        Factor of Kenward and Roger's by which the Wald statistic was multiplied; 1 for Satterthwaite.
    """

    f: float
    df1: int
    df2: float
    scaling: float


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
    in_entries = -s * ((half @ found.d_products[:, :p, :p]) * half).sum(axis=2).T
    in_theta = in_entries @ made.structure.jacobian(solution.theta)
    gradient = np.concatenate([in_theta, size[:, None]], axis=1)
    covariance = parameter_covariance(made.structure, solution, fit.method)
    spread = ((gradient @ covariance) * gradient).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0.0, 2.0 * (s * size) ** 2 / spread, np.inf)


def satterthwaite_f(fit: Fit, contrasts: Array, estimate: Array) -> JointTest:
    """F test that all rows of `contrasts` are zero, as lmerTest's contestMD.

    The quadratic form is split into squared t statistics along the principal axes of the contrasts' covariance
    matrix; the df of their sum follow from the axes' own: `2E/(E − q)`, `E = Σ ν/(ν − 2)`. Where those differ the
    result depends, as in lmerTest, on the units of the coefficients; Kenward and Roger's does not.

    Parameters
    ----------
    contrasts
        Rows l, (m, p); rows that repeat each other count once.
    estimate
        Lβ, (m,).

    References
    ----------
    Kuznetsova, A., Brockhoff, P. B., & Christensen, R. H. B. (2017). J. Stat. Softw. 82(13).
    """
    axes, sizes, _ = np.linalg.svd(_whitened(fit, contrasts), full_matrices=False)
    q = len(orthonormal(fit, contrasts))
    axes, sizes = axes[:, :q], sizes[:q]
    squared = (axes.T @ estimate / (fit.sigma * sizes)) ** 2
    freedom = satterthwaite(fit, axes.T @ contrasts)
    return JointTest(f=float(squared.mean()), df1=q, df2=freedom_of_sum(freedom), scaling=1.0)


def orthonormal(fit: Fit, contrasts: Array) -> Array:
    """Combinations of contrasts, (q, m), that are uncorrelated with variance σ²: q of the m say something new.

    Parameters
    ----------
    contrasts
        Rows l, (m, p), none of them zero.
    """
    rows = _whitened(fit, contrasts)
    lengths = np.linalg.norm(rows, axis=1)
    axes, sizes, _ = np.linalg.svd(rows / lengths[:, None], full_matrices=False)
    q = int((sizes > DEPENDENT * sizes[0]).sum())
    return np.asarray((axes[:, :q] / sizes[:q]).T / lengths)


def _whitened(fit: Fit, contrasts: Array) -> Array:
    """Rows whose cross-products are the covariance matrix of the contrasts relative to σ², (m, p)."""
    return np.asarray(contrasts @ fit.design.to_fixed @ np.linalg.cholesky(fit.solution.evaluation.inverse))


def freedom_of_sum(freedom: Array) -> float:
    """Denominator df of a mean of squared t statistics with these df."""
    if np.ptp(np.where(np.isfinite(freedom), freedom, 1e300)) < 1e-8:
        return float(freedom.mean())
    if (freedom <= 2.0).any():
        return 2.0
    finite = np.isfinite(freedom)
    known = np.where(finite, freedom, 3.0)
    # E − q summed as it is, so that many df do not cancel.
    excess = float(np.where(finite, 2.0 / (known - 2.0), 0.0).sum())
    return 2.0 * (excess + len(freedom)) / excess
