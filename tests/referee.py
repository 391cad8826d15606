"""A referee for the engine: the mixed-model likelihood written out densely, slow and plain.

``y = X β + Σ_b Z_b u_b + e``, ``e ~ N(0, σ² I)``, ``u_b ~ N(0, σ² D_b)`` for each group of block b, so
``Var(y) = V = σ² V0`` with ``V0 = I + Σ_b (Z_b D_b Z_b') ∘ [same group of b]`` and ``G_b = σ² D_b``. Any dense R0 may
stand for I (`referee_residual` builds them), known or as a function of parameters ψ (`Residual`).

It builds V, factors it, whitens with it, and takes every derivative numerically. It knows no cross-product, no
pattern and no gradient formula, and shares no line with ``dyadline.engine``: where the two agree, both are right.

Criteria are −2 log-likelihoods as lme4 prints them (the REML one has no ``log|X'X|`` term).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from numeric_derivatives import gradient, hessian

Method = Literal["ML", "REML"]
Block = tuple[np.ndarray, np.ndarray]  # Z columns (n, q) and group codes (n,)
LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """R0 as a function of its parameters ψ, each strictly between its two bounds (the upper may be infinite)."""

    R0: Callable[[np.ndarray], np.ndarray]
    names: tuple[str, ...]
    bounds: tuple[tuple[float, float], ...]


def components(blocks: Sequence[Block], R0: np.ndarray | None = None) -> list[np.ndarray]:
    """Row numbers of the sets of rows that no random effect and no residual connects: V is zero between them."""
    indices = [np.unique(codes, return_inverse=True)[1] for _, codes in blocks]
    if R0 is not None:
        indices.append(connected_components(csr_array(R0 != 0.0), directed=False)[1].astype(np.intp))
    return _components(tuple(index.tobytes() for index in indices))


@lru_cache(maxsize=8)
def _components(indices: tuple[bytes, ...]) -> list[np.ndarray]:
    groupings = [np.frombuffer(index, dtype=np.intp) for index in indices]
    label = np.arange(len(groupings[0]))
    while True:
        before = label.copy()
        for index in groupings:
            smallest = np.full(index.max() + 1, len(label))
            np.minimum.at(smallest, index, label)
            label = smallest[index]
        if np.array_equal(before, label):
            return [np.flatnonzero(label == one) for one in np.unique(label)]


def covariance(
    blocks: Sequence[Block], G: Sequence[np.ndarray], residual: float, rows: np.ndarray, R0: np.ndarray | None = None
) -> np.ndarray:
    """``residual·R0 + Σ_b (Z_b G_b Z_b') ∘ [same group]`` for the given rows, dense; R0 is I where it is not given."""
    V = residual * (np.eye(len(rows)) if R0 is None else R0[np.ix_(rows, rows)])
    for (Z, codes), g in zip(blocks, G, strict=True):
        z, same = Z[rows], codes[rows][:, None] == codes[rows][None, :]
        V += np.where(same, z @ np.asarray(g) @ z.T, 0.0)
    return V


def whitened(
    y: np.ndarray,
    X: np.ndarray,
    blocks: Sequence[Block],
    G: Sequence[np.ndarray],
    residual: float,
    R0: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, float]:
    """``L⁻¹y``, ``L⁻¹X`` and ``log|V|`` with ``V = LL'``; raises ``LinAlgError`` where V is not positive definite."""
    ys, Xs, log_det = np.empty(len(y)), np.empty(X.shape), 0.0
    for rows in components(blocks, R0):
        L = cholesky(covariance(blocks, G, residual, rows, R0), lower=True)
        both = solve_triangular(L, np.column_stack([X[rows], y[rows]]), lower=True)
        Xs[rows], ys[rows] = both[:, :-1], both[:, -1]
        log_det += 2.0 * float(np.log(np.diag(L)).sum())
    return ys, Xs, log_det


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The generalised least squares answer at fixed covariances, and the two parts of the criterion."""

    beta: np.ndarray
    rss: float  # r'V⁻¹r
    log_det: float  # log|V|
    log_det_fixed: float  # log|X'V⁻¹X|
    covariance: np.ndarray  # (X'V⁻¹X)⁻¹


def solve(
    y: np.ndarray,
    X: np.ndarray,
    blocks: Sequence[Block],
    G: Sequence[np.ndarray],
    residual: float = 1.0,
    R0: np.ndarray | None = None,
) -> Verdict:
    """Generalised least squares by a QR decomposition of the whitened design."""
    ys, Xs, log_det = whitened(y, X, blocks, G, residual, R0)
    Q, R = np.linalg.qr(Xs)
    beta = np.linalg.solve(R, Q.T @ ys)
    residuals = ys - Xs @ beta
    R_inverse = np.linalg.inv(R)
    return Verdict(
        beta=beta,
        rss=float(residuals @ residuals),
        log_det=log_det,
        log_det_fixed=2.0 * float(np.log(np.abs(np.diag(R))).sum()),
        covariance=R_inverse @ R_inverse.T,
    )


def criterion(
    y: np.ndarray,
    X: np.ndarray,
    blocks: Sequence[Block],
    D: Sequence[np.ndarray],
    method: Method,
    R0: np.ndarray | None = None,
) -> float:
    """Profiled criterion at relative covariances D.

    ML ``log|V0| + n (1 + log(2π rss/n))``; REML ``log|V0| + log|X'V0⁻¹X| + (n−p)(1 + log(2π rss/(n−p)))``.
    """
    at = solve(y, X, blocks, D, R0=R0)
    m = len(y) - X.shape[1] if method == "REML" else len(y)
    extra = at.log_det_fixed if method == "REML" else 0.0
    return at.log_det + extra + m * (1.0 + LOG_2PI + float(np.log(at.rss / m)))


def beta(
    y: np.ndarray, X: np.ndarray, blocks: Sequence[Block], D: Sequence[np.ndarray], R0: np.ndarray | None = None
) -> np.ndarray:
    """``(X'V0⁻¹X)⁻¹X'V0⁻¹y``, shape (p,)."""
    return solve(y, X, blocks, D, R0=R0).beta


def rss(
    y: np.ndarray, X: np.ndarray, blocks: Sequence[Block], D: Sequence[np.ndarray], R0: np.ndarray | None = None
) -> float:
    """``(y−Xβ)'V0⁻¹(y−Xβ)``, what lme4 calls the penalised weighted residual sum of squares."""
    return solve(y, X, blocks, D, R0=R0).rss


def sigma(
    y: np.ndarray,
    X: np.ndarray,
    blocks: Sequence[Block],
    D: Sequence[np.ndarray],
    method: Method,
    R0: np.ndarray | None = None,
) -> float:
    """``√(rss/(n−p))`` under REML, ``√(rss/n)`` under ML."""
    m = len(y) - X.shape[1] if method == "REML" else len(y)
    return float(np.sqrt(rss(y, X, blocks, D, R0) / m))


def unprofiled(
    y: np.ndarray,
    X: np.ndarray,
    blocks: Sequence[Block],
    G: Sequence[np.ndarray],
    sigma2: float,
    method: Method,
    R0: np.ndarray | None = None,
) -> float:
    """Criterion as a function of the covariances themselves, only β profiled out.

    ``n log 2π + log|V| + r'V⁻¹r`` (ML); ``(n−p) log 2π + log|V| + log|X'V⁻¹X| + r'V⁻¹r`` (REML).
    G may leave the cone of covariance matrices as long as V stays positive definite.
    """
    at = solve(y, X, blocks, G, sigma2, R0)
    m = len(y) - X.shape[1] if method == "REML" else len(y)
    return m * LOG_2PI + at.log_det + at.rss + (at.log_det_fixed if method == "REML" else 0.0)


# -- covariance parameters as one vector: vech G of every block (columns of the lower triangle), then σ² ----------


def pack(G: Sequence[np.ndarray], sigma2: float) -> np.ndarray:
    """``(vech G_1, vech G_2, …, σ²)``; vech goes down the columns: G11, G21, …, G22, …"""
    return np.concatenate([*(np.asarray(g).T[np.triu_indices(len(g))] for g in G), [sigma2]])


def unpack(vector: np.ndarray, sizes: Sequence[int]) -> tuple[list[np.ndarray], float]:
    """The inverse of `pack`."""
    G, start = [], 0
    for q in sizes:
        upper = np.zeros((q, q))
        upper[np.triu_indices(q)] = vector[start : start + q * (q + 1) // 2]
        G.append(upper + upper.T - np.diag(np.diag(upper)))
        start += q * (q + 1) // 2
    return G, float(vector[-1])


def step_sizes(G: Sequence[np.ndarray], sigma2: float, share: float = 0.02) -> np.ndarray:
    """A step per covariance parameter in its own scale, small enough to keep V positive definite.

    A covariance is measured by the two SDs that it belongs to; a variance near zero by the error variance.
    """
    scales = []
    for g in G:
        sd = np.sqrt(np.maximum(np.diag(g), 1e-6 * sigma2))
        scales.append(np.outer(sd, sd))
    return share * pack(scales, sigma2)


def _at(vector: np.ndarray, sizes: Sequence[int], residual: Residual | None) -> tuple[list[np.ndarray], float, dict]:
    """G, σ² and R0 (as a keyword) of the vector (vech G, ψ, σ²)."""
    k = 0 if residual is None else len(residual.names)
    G, sigma2 = unpack(np.append(vector[: len(vector) - 1 - k], vector[-1]), sizes)
    return G, sigma2, {} if residual is None else {"R0": residual.R0(vector[len(vector) - 1 - k : -1])}


def _here(
    G: Sequence[np.ndarray], sigma2: float, residual: Residual | None, psi: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """The vector (vech G, ψ, σ²) and a step for each of its entries; ψ stays clear of its bounds."""
    near = [
        0.02 * min(max(abs(v), 0.2), v - low, high - v)
        for v, (low, high) in zip(psi, () if residual is None else residual.bounds, strict=True)
    ]
    k = len(pack(G, sigma2)) - 1
    return np.insert(pack(G, sigma2), k, psi), np.insert(step_sizes(G, sigma2), k, near)


def observed_covariance(
    y: np.ndarray,
    X: np.ndarray,
    blocks: Sequence[Block],
    G: Sequence[np.ndarray],
    sigma2: float,
    method: Method,
    residual: Residual | None = None,
    psi: Sequence[float] = (),
) -> np.ndarray:
    """Asymptotic covariance of (vech G, ψ, σ²) from observed information: ``2 H⁻¹``, H the Hessian of `unprofiled`."""
    sizes = [len(g) for g in G]

    def f(v: np.ndarray) -> float:
        g, s2, R0 = _at(v, sizes, residual)
        return unprofiled(y, X, blocks, g, s2, method, **R0)

    return 2.0 * np.linalg.inv(hessian(f, *_here(G, sigma2, residual, psi)))


def satterthwaite_df(
    contrast: np.ndarray,
    y: np.ndarray,
    X: np.ndarray,
    blocks: Sequence[Block],
    G: Sequence[np.ndarray],
    sigma2: float,
    method: Method,
    residual: Residual | None = None,
    psi: Sequence[float] = (),
) -> np.ndarray:
    """``2 (l'Cl)² / (g'Ag)`` for each row l of `contrast` (m, p).

    ``C = (X'V⁻¹X)⁻¹``, g the numeric gradient of ``l'Cl`` in (vech G, ψ, σ²), A their `observed_covariance`.
    """
    contrast = np.atleast_2d(contrast)
    sizes, (here, steps) = [len(g) for g in G], _here(G, sigma2, residual, psi)
    A = observed_covariance(y, X, blocks, G, sigma2, method, residual, psi)

    def variances(v: np.ndarray) -> np.ndarray:
        g, s2, R0 = _at(v, sizes, residual)
        return np.einsum("mi,ij,mj->m", contrast, solve(y, X, blocks, g, s2, **R0).covariance, contrast)

    slopes = np.array([gradient(lambda v, m=m: variances(v)[m], here, steps) for m in range(len(contrast))])
    return 2.0 * variances(here) ** 2 / np.einsum("mi,ij,mj->m", slopes, A, slopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """The best that the referee found."""

    criterion: float
    D: tuple[np.ndarray, ...]
    G: tuple[np.ndarray, ...]
    beta: np.ndarray
    sigma: float
    psi: tuple[float, ...]


def optimum(
    y: np.ndarray,
    X: np.ndarray,
    blocks: Sequence[Block],
    method: Method,
    starts: int = 4,
    seed: int = 0,
    residual: Residual | None = None,
) -> Optimum:
    """The lowest criterion over relative covariances ``D = ΛΛ'`` and residual parameters ψ, slow but sure.

    Λ is lower triangular without bounds, so that a zero variance or a correlation of one is an inner point; ψ is
    searched on the logistic (or log) scale of its bounds. From each of several starts: BFGS with numeric gradients;
    from the best one: Nelder–Mead and BFGS again.

    Parameters
    ----------
    starts
        Number of starting points: Λ in steps from small to large first, random ones after.
    """
    sizes = [Z.shape[1] for Z, _ in blocks]
    scales = [np.maximum(np.sqrt((Z**2).mean(axis=0)), 1e-300) for Z, _ in blocks]
    bounds = () if residual is None else residual.bounds
    rng = np.random.default_rng(seed)

    def inside(theta: np.ndarray) -> np.ndarray:
        free = theta[len(theta) - len(bounds) :]
        pairs = zip(free, bounds, strict=True)
        return np.array([a + (np.exp(x) if np.isinf(b) else (b - a) * expit(x)) for x, (a, b) in pairs])

    def error(theta: np.ndarray) -> np.ndarray | None:
        return None if residual is None else residual.R0(inside(theta))

    def relative(theta: np.ndarray) -> list[np.ndarray]:
        D, start = [], 0
        for q, scale in zip(sizes, scales, strict=True):
            L = np.zeros((q, q))
            L[np.tril_indices(q)] = theta[start : start + q * (q + 1) // 2]
            L /= scale[:, None]
            D.append(L @ L.T)
            start += q * (q + 1) // 2
        return D

    def f(theta: np.ndarray) -> float:
        try:
            value = criterion(y, X, blocks, relative(theta), method, error(theta))
        except (np.linalg.LinAlgError, ValueError):
            return 1e300
        return value if np.isfinite(value) else 1e300

    def slope(theta: np.ndarray) -> np.ndarray:
        return gradient(f, theta, 1e-3 * np.maximum(np.abs(theta), 0.1), levels=2)

    diagonal = np.concatenate([np.zeros(0), *(np.eye(q)[np.tril_indices(q)] for q in sizes), np.zeros(len(bounds))])
    first = [size * diagonal for size in (1.0, 0.2, 4.0)]
    points = [*first, *(rng.normal(0.0, 1.0, diagonal.size) for _ in range(max(0, starts - 3)))][:starts]
    found = [minimize(f, x, jac=slope, method="BFGS", options={"gtol": 1e-6, "maxiter": 150}) for x in points]
    best = min(found, key=lambda one: one.fun)
    close = {"xatol": 1e-7, "fatol": 1e-11, "maxiter": 150 * diagonal.size}
    polished = minimize(f, best.x, method="Nelder-Mead", options=close)
    best = min(best, polished, key=lambda one: one.fun)
    last = minimize(f, best.x, jac=slope, method="BFGS", options={"gtol": 1e-7, "maxiter": 30})
    best = min(best, last, key=lambda one: one.fun)

    D, R0 = relative(best.x), error(best.x)
    s = sigma(y, X, blocks, D, method, R0)
    return Optimum(
        criterion=float(best.fun),
        D=tuple(D),
        G=tuple(s**2 * d for d in D),
        beta=beta(y, X, blocks, D, R0),
        sigma=s,
        psi=tuple(inside(best.x).tolist()),
    )
