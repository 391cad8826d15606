"""Kenward–Roger: covariance matrix and degrees of freedom of fixed effects for small samples.

With ``V = σ²V0`` linear in the covariance parameters, sums over their inverse expected information do not depend
on which parameters span V. The directions V0 itself and ``B_i = ∂V0/∂d_i`` need no pieces but those of the
criterion: with ``W = X'V0⁻¹X`` and ``P = V0⁻¹ − V0⁻¹XW⁻¹X'V0⁻¹``

    tr(P V0 P V0) = n − p    tr(P V0 P B_i) = ∂_i log|V0| + ∂_i log|W|    tr(P B_i P B_j) = −∂²_ij (the same)

is E, and V0 drops out of the adjustment: ``Φ_A = σ²W⁻¹ + 4σ² W⁻¹ [Σ E⁻¹_ij (½ ∂²_ij W − ∂_iW W⁻¹ ∂_jW)] W⁻¹``.

Kenward, M. G., & Roger, J. H. (1997). Small sample inference for fixed effects from restricted maximum
likelihood. Biometrics, 53, 983–997. Halekoh, U., & Højsgaard, S. (2014). J. Stat. Softw. 59(9) (pbkrtest).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dyadline.engine.criterion import Evaluation
from dyadline.engine.moments import Array, lower
from dyadline.errors import FitError, PlanError
from dyadline.inference.freedom import JointTest, orthonormal
from dyadline.model.fit import Fit


def adjusted_covariance(fit: Fit, contrasts: Array) -> Array:
    """Kenward and Roger's covariance matrix Φ_A of linear combinations of the named coefficients.

    On the boundary the formula stays as it is, as in pbkrtest: the uncertainty of a variance that was estimated
    at zero counts.

    Parameters
    ----------
    fit
        A REML fit.
    contrasts
        Rows l, (m, p).

    Returns
    -------
    (m, m), in the units of the data.

    Raises
    ------
    PlanError
        For ML fits, and for serial correlations, in which V is not linear.
    FitError
        Where so few groups are left to the coefficients that the approximation breaks down.
    """
    _refuse_other_fits(fit)
    found = _in_linear_entries(fit)
    p = len(found.beta)
    in_columns = contrasts @ fit.design.to_fixed
    half = in_columns @ found.inverse
    weights = _inverse_information(found)[1:, 1:]
    first, second = lower(len(weights))
    twice = np.where(first == second, 1.0, 2.0) * weights[first, second]
    curved = half @ np.tensordot(twice, found.dd_products[:, :p, :p], axes=1) @ half.T
    pulled = half @ found.d_products[:, :p, :p] @ np.linalg.cholesky(found.inverse)
    sloped = np.einsum("ij,imc,jnc->mn", weights, pulled, pulled, optimize=True)
    covariance = fit.sigma**2 * (half @ in_columns.T + 2.0 * curved - 4.0 * sloped)
    if not (np.diag(covariance) > 0.0).all():
        raise _too_few("the adjusted variance of a coefficient is not positive")
    return np.asarray(covariance)


def kenward_roger(fit: Fit, contrasts: Array) -> Array:
    """Kenward–Roger degrees of freedom of single linear combinations, (m,), each row of `contrasts` by itself.

    For one row the approximation comes to ``2/A₂``: Satterthwaite's with the expected information.

    Raises
    ------
    PlanError, FitError
        As `adjusted_covariance`.
    """
    _refuse_other_fits(fit)
    own = np.einsum("imm->mi", _slopes(fit, contrasts))  # the first is −l W⁻¹ l'
    share = own / -own[:, :1]
    return np.asarray(1.0 / np.einsum("mi,ij,mj->m", share, _inverse_information(_in_linear_entries(fit)), share))


def kenward_roger_f(fit: Fit, contrasts: Array, estimate: Array) -> JointTest:
    """Scaled F test that all rows of `contrasts` are zero, as pbkrtest's KRmodcomp.

    Parameters
    ----------
    contrasts
        Rows l, (m, p); rows that repeat each other count once.
    estimate
        Lβ, (m,).

    Raises
    ------
    PlanError, FitError
        As `adjusted_covariance`.
    """
    _refuse_other_fits(fit)
    basis = orthonormal(fit, contrasts)
    q, rows, wald = len(basis), basis @ contrasts, basis @ estimate
    f = float(wald @ np.linalg.solve(adjusted_covariance(fit, rows), wald)) / q
    slopes = _slopes(fit, rows)
    weights = _inverse_information(_in_linear_entries(fit))
    traces = np.trace(slopes, axis1=1, axis2=2)
    a1 = 2.0 * float(traces @ weights @ traces)
    a2 = 2.0 * float(np.einsum("ij,imn,jnm->", weights, slopes, slopes, optimize=True))
    df2, scaling = _moments_matched(a1, a2, q)
    if not (0.01 < df2 < np.inf and scaling * f >= 0.0):
        raise _too_few(f"a joint test of {q} coefficients has no denominator degrees of freedom")
    return JointTest(f=scaling * f, df1=q, df2=df2, scaling=scaling)


def _moments_matched(a1: float, a2: float, q: int) -> tuple[float, float]:
    """Denominator df and scale of the F distribution with the statistic's mean and variance (KR 1997, section 3)."""
    b = (a1 + 6.0 * a2) / (2.0 * q)
    g = ((q + 1.0) * a1 - (q + 4.0) * a2) / ((q + 2.0) * a2)
    below = 3.0 * q + 2.0 * (1.0 - g)
    v0 = 1.0 + g / below * b
    v1 = 1.0 - (q - g) / below * b
    v2 = 1.0 - (q + 2.0 - g) / below * b
    mean = 1.0 - a2 / q
    # pbkrtest's conventions where the moments of tiny samples leave 0/0.
    ratio = 1.0 if abs(mean) < 1e-14 and abs(v1) < 1e-14 else float(np.divide(mean, v1))
    v0 = 0.0 if abs(v0) < 1e-10 else v0
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = float(np.divide(ratio**2 * v0, q * v2))
        df2 = float(4.0 + np.divide(q + 2.0, q * rho - 1.0))
    return df2, 1.0 if abs(df2 - 2.0) < 0.01 else df2 * mean / (df2 - 2.0)


def _slopes(fit: Fit, contrasts: Array) -> Array:
    """``l W⁻¹ (−X'V0⁻¹ A V0⁻¹ X) W⁻¹ l'`` for the directions A = V0, B_1, B_2, …, (1+nb, m, m)."""
    found = _in_linear_entries(fit)
    p = len(found.beta)
    in_columns = contrasts @ fit.design.to_fixed
    half = in_columns @ found.inverse
    return np.concatenate([-(half @ in_columns.T)[None], half @ found.d_products[:, :p, :p] @ half.T])


def _in_linear_entries(fit: Fit) -> Evaluation:
    """The evaluation with derivatives in entries in which V0 is linear: those of D and of R."""
    found, residual = fit.solution.evaluation, fit.design.structure.residual
    m = residual.size
    entries = residual.entries(fit.solution.theta[:m])
    if m == 0 or entries is None:
        return found
    nb = len(found.d_log_v)
    back = np.eye(nb)
    back[:m, :m] = np.linalg.inv(entries[0])
    first, second = lower(nb)

    def once(values: Array) -> Array:
        return np.asarray(np.tensordot(back.T, values, axes=1))

    def twice(values: Array, slopes: Array) -> Array:
        """∂²/∂r² from ∂²/∂η² less the share that R's own curvature in η has in it."""
        bent = values.copy()
        bent[:m, :m] -= np.tensordot(entries[1], slopes[:m], axes=(0, 0))
        return np.asarray(np.einsum("ai,ab...,bj->ij...", back, bent, back, optimize=True))

    full = np.empty((nb, nb, *found.products.shape))
    full[first, second] = full[second, first] = found.dd_products
    d_products = once(found.d_products)
    d_log_v, d_log_xx = once(found.d_log_v), once(found.d_log_xx)
    return replace(
        found,
        d_products=d_products,
        dd_products=twice(full, d_products)[first, second],
        d_log_v=d_log_v,
        dd_log_v=twice(found.dd_log_v, d_log_v),
        d_log_xx=d_log_xx,
        dd_log_xx=twice(found.dd_log_xx, d_log_xx),
    )


def _inverse_information(found: Evaluation) -> Array:
    """E⁻¹, (1+nb, 1+nb), zero along directions of V that the data do not show."""
    mixed = found.d_log_v + found.d_log_xx
    corner = np.array([[float(found.n - len(found.beta))]])
    full = np.block([[corner, mixed[None, :]], [mixed[:, None], -(found.dd_log_v + found.dd_log_xx)]])
    scale = 1.0 / np.sqrt(np.maximum(np.diag(full), 1e-300))
    values, vectors = np.linalg.eigh(full * np.outer(scale, scale))
    flat = values <= 1e-10 * values[-1]
    inverse = np.where(flat, 0.0, 1.0 / np.where(flat, 1.0, values))
    return np.asarray((vectors * inverse) @ vectors.T * np.outer(scale, scale))


def _refuse_other_fits(fit: Fit) -> None:
    if fit.method != "REML":
        raise PlanError(
            "Kenward–Roger needs a REML fit, and this one was made by ML",
            way_out="Fit again with method='REML' (pbkrtest does that silently), or use df='satterthwaite'",
        )
    residual = fit.design.structure.residual
    if residual.entries(fit.solution.theta[: residual.size]) is None:
        raise PlanError(
            "Kenward–Roger is not offered for a serial correlation: the covariance is not linear in it",
            way_out="Use df='satterthwaite'",
        )


def _too_few(what: str) -> FitError:
    return FitError(
        f"Kenward–Roger's approximation breaks down in so few groups: {what}",
        way_out="Test fewer coefficients, or use df='satterthwaite'",
    )
