"""Dense inference for the referee: modes, Kenward–Roger, F tests with Satterthwaite df, cluster-robust covariances.

Everything works on one dense V (n, n) and, for Kenward–Roger, on its derivatives: V is taken as linear in its
parameters, ``V = Σ_r θ_r V_r``, as it is in the variances and covariances of random effects and residuals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag, cholesky, eigh

from referee import Block, covariance, pack, unpack


def whole_covariance(
    blocks: Sequence[Block], G: Sequence[np.ndarray], sigma2: float, n: int, R0: np.ndarray | None = None
) -> np.ndarray:
    """V of all n rows, dense."""
    return covariance(blocks, G, sigma2, np.arange(n), R0)


def linear_parts(blocks: Sequence[Block], n: int, residual: Sequence[np.ndarray] = ()) -> list[np.ndarray]:
    """The matrices V_r of ``V = Σ_r θ_r V_r`` for θ = (vech G_1, …, then the residual's); I where `residual` is empty.

    Parameters
    ----------
    residual
        Derivatives of the residual covariance in its own linear parameters, each (n, n).
    """
    sizes = [Z.shape[1] for Z, _ in blocks]
    zeros = pack([np.zeros((q, q)) for q in sizes], 0.0)
    parts = []
    for k in range(len(zeros) - 1):
        unit = zeros.copy()
        unit[k] = 1.0
        parts.append(whole_covariance(blocks, unpack(unit, sizes)[0], 0.0, n))
    return [*parts, *(residual or [np.eye(n)])]


def conditional_modes(
    y: np.ndarray, X: np.ndarray, beta: np.ndarray, V: np.ndarray, block: Block, G: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``G Z'V⁻¹(y − Xβ)`` (groups, q) of one block, and ``G − G Z'V⁻¹Z G`` (groups, q, q), groups in code order."""
    Z, codes = block
    wide = [np.where((codes == one)[:, None], Z, 0.0) for one in np.unique(codes)]
    e = np.linalg.solve(V, y - X @ beta)
    modes = np.array([G @ z.T @ e for z in wide])
    return modes, np.array([G - G @ z.T @ np.linalg.solve(V, z) @ G for z in wide])


# -- Kenward and Roger (1997), REML ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class KenwardRoger:
    """What the adjustment consists of: Φ, the adjusted Φ_A, W and the P_r."""

    plain: np.ndarray  # Φ = (X'V⁻¹X)⁻¹
    adjusted: np.ndarray  # Φ_A
    W: np.ndarray  # inverse of the expected information
    P: np.ndarray  # P_r = −X'V⁻¹V_rV⁻¹X, shape (r, p, p)


def kenward_roger(X: np.ndarray, V: np.ndarray, parts: Sequence[np.ndarray]) -> KenwardRoger:
    """``Φ_A = Φ + 2Φ{Σ W_rs (Q_rs − P_r Φ P_s)}Φ`` with the expected REML information, second derivatives of V zero."""
    inverse = np.linalg.inv(V)
    plain = np.linalg.inv(X.T @ inverse @ X)
    bread = inverse @ X
    K = [inverse @ part for part in parts]
    P = np.array([-bread.T @ part @ bread for part in parts])
    Q = np.array([[bread.T @ a @ inverse @ b @ bread for b in parts] for a in parts])
    information = 0.5 * np.array(
        [
            [
                np.sum(K[r] * K[s].T) - 2.0 * np.trace(plain @ Q[r, s]) + np.trace(plain @ P[r] @ plain @ P[s])
                for s in range(len(parts))
            ]
            for r in range(len(parts))
        ]
    )
    W = np.linalg.inv(information)
    middle = sum(W[r, s] * (Q[r, s] - P[r] @ plain @ P[s]) for r in range(len(parts)) for s in range(len(parts)))
    return KenwardRoger(plain=plain, adjusted=plain + 2.0 * plain @ middle @ plain, W=W, P=P)


@dataclass(frozen=True, slots=True, kw_only=True)
class FTest:
    """``F = scaling · F_unscaled`` on (rows, df); `scaling` is 1 for Satterthwaite."""

    f: float
    rows: int
    df: float
    scaling: float = 1.0


def kenward_roger_test(L: np.ndarray, beta: np.ndarray, kr: KenwardRoger) -> FTest:
    """The scaled F test of ``L β = 0`` for rows L (l, p); one row gives the df of a t test."""
    L = np.atleast_2d(L)
    size, indices = len(L), range(len(kr.P))
    theta = L.T @ np.linalg.inv(L @ kr.plain @ L.T) @ L
    T = [theta @ kr.plain @ P @ kr.plain for P in kr.P]
    A1 = sum(kr.W[r, s] * np.trace(T[r]) * np.trace(T[s]) for r in indices for s in indices)
    A2 = sum(kr.W[r, s] * np.trace(T[r] @ T[s]) for r in indices for s in indices)
    B = (A1 + 6.0 * A2) / (2.0 * size)
    g = ((size + 1) * A1 - (size + 4) * A2) / ((size + 2) * A2)
    c1, c2, c3 = np.array([g, size - g, size + 2 - g]) / (3 * size + 2 * (1 - g))
    mean = 1.0 / (1.0 - A2 / size)
    variance = 2.0 / size * (1.0 + c1 * B) / ((1.0 - c2 * B) ** 2 * (1.0 - c3 * B))
    rho = variance / (2.0 * mean**2)
    df = 4.0 + (size + 2.0) / (size * rho - 1.0)
    scaling = df / (mean * (df - 2.0))
    estimate = L @ beta
    unscaled = estimate @ np.linalg.solve(L @ kr.adjusted @ L.T, estimate) / size
    return FTest(f=float(scaling * unscaled), rows=size, df=float(df), scaling=float(scaling))


# -- several rows with Satterthwaite's df (Fai and Cornelius 1996) -----------------------------------------------


def satterthwaite_test(L: np.ndarray, beta: np.ndarray, C: np.ndarray, df: Callable[[np.ndarray], np.ndarray]) -> FTest:
    """F test of ``L β = 0``: independent directions of ``L C L'``, a df for each, the df of their mean of squares.

    Parameters
    ----------
    C
        Covariance of β.
    df
        Satterthwaite df of each row of a matrix of contrasts.
    """
    values, vectors = np.linalg.eigh(L @ C @ L.T)
    directions = vectors.T @ L
    F = float(np.mean((directions @ beta) ** 2 / values))
    nu, size = df(directions), len(L)
    if size == 1 or np.ptp(nu) < 1e-8:
        return FTest(f=F, rows=size, df=float(nu.mean()))
    if not (nu > 2.0).all():
        return FTest(f=F, rows=size, df=2.0)
    E = float(np.sum(nu / (nu - 2.0)))
    return FTest(f=F, rows=size, df=2.0 * E / (E - size))


# -- cluster-robust covariance (Bell and McCaffrey 2002, Pustejovsky and Tipton 2018) --------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Robust:
    """The sandwich, and ``M X_g'W_gA_g`` per cluster, from which the df of a contrast follow."""

    covariance: np.ndarray
    weights: tuple[np.ndarray, ...]
    rows: tuple[np.ndarray, ...]


def cluster_robust(y: np.ndarray, X: np.ndarray, V: np.ndarray, cluster: np.ndarray, kind: str) -> Robust:
    """CR0 or CR2 of a fit whose V is zero between clusters.

    ``M Σ_g X_g'W_g A_g e_g e_g' A_g' W_g X_g M``, ``W = V⁻¹``, ``M = (X'WX)⁻¹``. CR0 has ``A = I``; CR2 has
    ``A_g = T_g' B_g^{+1/2} T_g``, ``B_g = T_g (Φ_g − X_g M X_g') T_g'``, ``T_g'T_g = Φ_g``, with Φ = V.
    """
    rows = tuple(np.flatnonzero(cluster == one) for one in np.unique(cluster))
    inverse = block_diag(*(np.linalg.inv(V[np.ix_(r, r)]) for r in rows))
    order = np.argsort(np.concatenate(rows))
    inverse = inverse[np.ix_(order, order)]
    M = np.linalg.inv(X.T @ inverse @ X)
    e = y - X @ (M @ X.T @ inverse @ y)
    weights = []
    for r in rows:
        A = np.eye(len(r))
        if kind == "CR2":
            phi = V[np.ix_(r, r)]
            T = cholesky(phi)
            values, vectors = eigh(T @ (phi - X[r] @ M @ X[r].T) @ T.T)
            kept = values > 1e-12 * values.max()
            A = T.T @ (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T @ T
        weights.append(M @ X[r].T @ inverse[np.ix_(r, r)] @ A)
    scores = np.column_stack([w @ e[r] for w, r in zip(weights, rows, strict=True)])
    return Robust(covariance=scores @ scores.T, weights=tuple(weights), rows=rows)


def robust_df(contrast: np.ndarray, X: np.ndarray, V: np.ndarray, robust: Robust) -> np.ndarray:
    """Satterthwaite df of the sandwich's variance of each row of `contrast`, as if V were right.

    The variance is ``Σ_g (u_g'y)²``; its df are ``(Σ_g u_g'Vu_g)² / Σ_gh (u_g'Vu_h)²``.
    """
    inverse = np.linalg.inv(V)
    residual_maker = np.eye(len(V)) - X @ np.linalg.solve(X.T @ inverse @ X, X.T @ inverse)
    found = []
    for row in np.atleast_2d(contrast):
        U = np.array([row @ w @ residual_maker[r] for w, r in zip(robust.weights, robust.rows, strict=True)])
        S = U @ V @ U.T
        found.append(np.trace(S) ** 2 / np.sum(S**2))
    return np.array(found)
