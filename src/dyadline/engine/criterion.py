"""The one formula of the house: −2 log-likelihood of a mixed model at any θ, with exact derivatives.

The levels are eliminated one by one (`levels`), which leaves `W = [X y]'V⁻¹[X y]` and log|V| with their first and
second derivatives in the residual's parameters and in the entries of each level's D. Then

REML: `log|V| + log|X'V⁻¹X| + (n−p)(1 + log(2π rss/(n−p)))`; ML without the middle term and with n.
Notation of Bates et al. (2015), J. Stat. Softw. 67(1), on moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from dyadline.engine.covariance import Structure
from dyadline.engine.levels import cells, eliminate, weighed
from dyadline.engine.moments import Array, Moments, lower

Method = Literal["REML", "ML"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The pieces of the criterion at one θ, with derivatives in its nb entries: η and those of each D.

    Attributes
    ----------
    n
        Rows.
    products
        W, (p+1, p+1).
    beta
        Generalised least squares estimates, (p,).
    inverse
        (X'V⁻¹X)⁻¹, (p, p), V relative to σ².
    rss
        r'V⁻¹r.
    log_v, log_xx
        log|V| and log|X'V⁻¹X|.
    d_products, dd_products
        ∂_i W, (nb, p+1, p+1), and ∂²_ij W, (nb(nb+1)/2, p+1, p+1), the lower triangle row by row.
    d_rss, d_log_v, d_log_xx
        Gradients, (nb,).
    dd_rss, dd_log_v, dd_log_xx
        Hessians, (nb, nb).
    """

    n: int
    products: Array
    beta: Array
    inverse: Array
    rss: float
    log_v: float
    log_xx: float
    d_products: Array
    dd_products: Array
    d_rss: Array
    d_log_v: Array
    d_log_xx: Array
    dd_rss: Array
    dd_log_v: Array
    dd_log_xx: Array

    def degrees(self, method: Method) -> int:
        """n − p for REML, n for ML: the divisor of σ²."""
        return self.n - len(self.beta) if method == "REML" else self.n

    def variance(self, method: Method) -> float:
        """σ² at this θ."""
        return self.rss / self.degrees(method)

    def criterion(self, method: Method) -> float:
        """Profiled −2 log-likelihood (ML) or REML criterion."""
        nu = self.degrees(method)
        restricted = self.log_xx if method == "REML" else 0.0
        return self.log_v + restricted + nu * (1.0 + float(np.log(2.0 * np.pi * self.rss / nu)))

    def profiled(self, method: Method) -> tuple[float, Array, Array]:
        """Profiled criterion, gradient and Hessian in the entries."""
        nu = self.degrees(method)
        gradient = self.d_log_v + nu * self.d_rss / self.rss
        slope = self.d_rss / self.rss
        hessian = self.dd_log_v + nu * (self.dd_rss / self.rss - np.outer(slope, slope))
        if method == "REML":
            gradient = gradient + self.d_log_xx
            hessian = hessian + self.dd_log_xx
        return self.criterion(method), gradient, hessian

    def unprofiled(self, method: Method) -> tuple[Array, Array]:
        """Gradient and Hessian in (entries, σ²) with σ² free, at the profiled σ²."""
        nu, s = self.degrees(method), self.variance(method)
        gradient = self.d_log_v + self.d_rss / s
        hessian = self.dd_log_v + self.dd_rss / s
        if method == "REML":
            gradient = gradient + self.d_log_xx
            hessian = hessian + self.dd_log_xx
        cross = -self.d_rss / s**2
        corner = -nu / s**2 + 2.0 * self.rss / s**3
        full = np.block([[hessian, cross[:, None]], [cross[None, :], np.array([[corner]])]])
        return np.append(gradient, nu / s - self.rss / s**2), full


@np.errstate(all="ignore")  # a point too far off is infinite or not a number, and callers look for that
def evaluate(moments: Moments, structure: Structure, theta: Array) -> Evaluation:
    """Evaluate the criterion's pieces at θ.

    Raises
    ------
    numpy.linalg.LinAlgError
        If X'V⁻¹X is not positive definite: the fixed columns are linearly dependent.
    """
    p = moments.n_fixed
    relative = structure.relative(theta)
    bases = [level.basis() for level in structure.levels]
    if moments.forms is None:
        stage = cells(moments, relative[0], bases[0])
        left = 1
    else:
        stage = weighed(moments.forms, structure.residual.weights(theta[: structure.residual.size]))
        left = 0
    for D, basis in zip(relative[left:], bases[left:], strict=True):
        stage = eliminate(stage, D, basis)
    nb = len(stage.d_log_v)
    w, d_w, dd_w = stage.products[0], stage.products[1 : nb + 1], stage.products[nb + 1 :]

    root = np.linalg.cholesky(w[:p, :p])
    half = np.linalg.inv(root)
    inverse = half.T @ half
    beta = inverse @ w[:p, p]
    v = np.append(-beta, 1.0)
    w_v, d_w_v = w @ v, d_w @ v
    rss = float(v @ w_v)
    d_rss = d_w_v @ v
    pulled = d_w_v[:, :p] @ half.T
    dd_rss = _symmetric((dd_w @ v) @ v, nb) - 2.0 * pulled @ pulled.T

    whitened = half @ d_w[:, :p, :p] @ half.T
    d_log_xx = np.trace(whitened, axis1=1, axis2=2)
    flat = whitened.reshape(nb, -1)
    dd_log_xx = _symmetric(np.einsum("mcd,cd->m", dd_w[:, :p, :p], inverse), nb) - flat @ flat.T

    return Evaluation(
        n=moments.n_rows,
        products=w,
        beta=beta,
        inverse=inverse,
        rss=rss,
        log_v=stage.log_v,
        log_xx=2.0 * float(np.log(np.diag(root)).sum()),
        d_products=d_w,
        dd_products=dd_w,
        d_rss=d_rss,
        d_log_v=stage.d_log_v,
        d_log_xx=d_log_xx,
        dd_rss=dd_rss,
        dd_log_v=stage.dd_log_v,
        dd_log_xx=dd_log_xx,
    )


def _symmetric(packed: Array, size: int) -> Array:
    rows, columns = lower(size)
    full = np.empty((size, size))
    full[rows, columns] = packed
    full[columns, rows] = packed
    return full
