"""The one formula of the house: −2 log-likelihood of a two-level model at any D, with exact derivatives.

With `P_k = (I + D C_k)⁻¹`, `Q = P D` and `S = C P` (so that D may be singular):

    W = [X y]'V⁻¹[X y] = R + Σ_k (C_k⁺ − Q_k) : M_k   log|V| = Σ_k n_k log|I + D C_k|
    ∂_i W = −Σ (P Δ_i P') : M                        ∂²_ij W = Σ (P Δ_i S Δ_j P' + P Δ_j S Δ_i P') : M
    C⁻¹ − Q = P C⁻¹ where C has full rank, a sum of positive terms
    ∂_i log|V| = Σ n_k tr(S Δ_i)                     ∂²_ij log|V| = −Σ n_k tr(S Δ_i S Δ_j)

REML: `log|V| + log|X'V⁻¹X| + (n−p)(1 + log(2π rss/(n−p)))`; ML without the middle term and with n.
Notation of Bates et al. (2015), J. Stat. Softw. 67(1), on moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dyadline.engine.covariance import Structure
from dyadline.engine.moments import Array, Moments, lower

Method = Literal["REML", "ML"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The pieces of the criterion at one D, with their derivatives in the entries of D.

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
    d_products
        ∂_i W, (nb, p+1, p+1).
    dd_products
        ∂²_ij W, (nb(nb+1)/2, p+1, p+1), pairs in the order of `moments.lower`.
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
        """σ² at this D."""
        return self.rss / self.degrees(method)

    def criterion(self, method: Method) -> float:
        """Profiled −2 log-likelihood (ML) or REML criterion."""
        nu = self.degrees(method)
        restricted = self.log_xx if method == "REML" else 0.0
        return self.log_v + restricted + nu * (1.0 + float(np.log(2.0 * np.pi * self.rss / nu)))

    def profiled(self, method: Method) -> tuple[float, Array, Array]:
        """Profiled criterion, gradient and Hessian in the entries of D."""
        nu = self.degrees(method)
        gradient = self.d_log_v + nu * self.d_rss / self.rss
        slope = self.d_rss / self.rss
        hessian = self.dd_log_v + nu * (self.dd_rss / self.rss - np.outer(slope, slope))
        if method == "REML":
            gradient = gradient + self.d_log_xx
            hessian = hessian + self.dd_log_xx
        return self.criterion(method), gradient, hessian

    def unprofiled(self, method: Method) -> tuple[Array, Array]:
        """Gradient and Hessian in (entries of D, σ²) with σ² free, at the profiled σ²."""
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


def evaluate(moments: Moments, structure: Structure, relative: Array) -> Evaluation:
    """Evaluate the criterion's pieces at a relative covariance D, (q, q), positive semi-definite.

    Raises
    ------
    numpy.linalg.LinAlgError
        If X'V⁻¹X is not positive definite: the fixed columns are linearly dependent.
    """
    q, p = moments.n_random, moments.n_fixed
    gram, counts = moments.gram, moments.counts
    basis = structure.basis()
    nb = len(basis)
    inner = np.eye(q) + relative @ gram
    p_k = np.linalg.inv(inner)
    log_v = float(counts @ np.linalg.slogdet(inner)[1])
    s_k = gram @ p_k
    u_k = p_k @ basis[:, None]  # (nb, K, q, q)
    first, second = lower(nb)
    pairs = (u_k[first] @ s_k) @ u_k[second].swapaxes(-1, -2)
    weights = np.concatenate(
        [
            _between(moments, p_k, relative)[None],
            u_k @ p_k.swapaxes(-1, -2),
            pairs + pairs.swapaxes(-1, -2),
        ]
    )
    contracted = moments.contract(weights)
    w = moments.within + contracted[0]
    d_w = -contracted[1 : nb + 1]
    dd_w = contracted[nb + 1 :]

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

    s_basis = s_k @ basis[:, None]
    d_log_v = np.trace(s_basis, axis1=-2, axis2=-1) @ counts
    weighted = (s_basis * counts[:, None, None]).reshape(nb, -1)
    dd_log_v = -weighted @ s_basis.swapaxes(-1, -2).reshape(nb, -1).T
    return Evaluation(
        n=moments.n_rows,
        products=w,
        beta=beta,
        inverse=inverse,
        rss=rss,
        log_v=log_v,
        log_xx=2.0 * float(np.log(np.diag(root)).sum()),
        d_products=d_w,
        dd_products=dd_w,
        d_rss=d_rss,
        d_log_v=d_log_v,
        d_log_xx=d_log_xx,
        dd_rss=dd_rss,
        dd_log_v=dd_log_v,
        dd_log_xx=dd_log_xx,
    )


def _between(moments: Moments, p_k: NDArray[np.floating[Any]], relative: Array) -> Array:
    """`C⁺ − Q`, (K, q, q): how much of a group's own least-squares fit counts as information."""
    weights = np.where(moments.full[:, None, None], p_k @ moments.inverse, moments.inverse - p_k @ relative)
    return np.asarray((weights + weights.swapaxes(-1, -2)) / 2.0)


def _symmetric(packed: Array, size: int) -> Array:
    rows, columns = lower(size)
    full = np.empty((size, size))
    full[rows, columns] = packed
    full[columns, rows] = packed
    return full
