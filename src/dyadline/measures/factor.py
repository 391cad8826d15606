"""One common factor by maximum likelihood: Σ = λλ' + Ψ.

The correlations are fitted (the estimates are equivariant) by Newton's method with exact second derivatives of
F = log|Σ| + tr(SΣ⁻¹). A uniqueness of zero, the Heywood case, needs no iteration: the factor then *is* that item, and
the other items are regressed on it. The fit is the lower of the two.

Source: Lawley & Maxwell (1971), *Factor analysis as a statistical method*, chapters 4 and 7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dyadline.errors import FitError
from dyadline.measures.records import Array

SINGULAR = 1e-10
"""Smallest eigenvalue of correlations that count as having full rank."""

BOUNDARY = 1e-6
"""A uniqueness, as a share of the item's variance, below which the iteration is on its way to zero; the criterion
itself loses as many digits there as 1/ψ has."""

MOST_STEPS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class OneFactor:
    """Maximum-likelihood estimates, uniquenesses not below zero.

    Attributes
    ----------
    loadings
        λ (k), in units of the items; their sum is not negative.
    uniquenesses
        Diagonal of Ψ (k).
    discrepancy
        log|Σ| − log|S| + tr(SΣ⁻¹) − k: n times it is the likelihood-ratio statistic, with k(k − 3)/2 df.
    heywood
        Position of the item without uniqueness, else None.
    converged
        Whether the optimum was reached.
    """

    loadings: Array
    uniquenesses: Array
    discrepancy: float
    heywood: int | None
    converged: bool


def one_factor(S: Array) -> OneFactor:
    """Fit the one-factor model to a covariance matrix (k × k).

    Raises
    ------
    FitError
        Fewer than three items, an item without variance, or singular covariances.
    """
    k = len(S)
    if k < 3:
        raise FitError("a factor needs three items at least")
    scale = np.sqrt(np.diag(S))
    if not scale.min() > 0.0:
        raise FitError("an item has no variance")
    R = S / np.outer(scale, scale)
    spread = np.linalg.eigvalsh(R)
    if spread[0] < SINGULAR:
        raise FitError("the items' covariances are singular: too few records, or an item that follows from others")
    # log|Σ| + tr(RΣ⁻¹) − k of the factor that equals item j
    edge = np.log(1.0 - R**2 + np.eye(k)).sum(axis=1)
    x, inner, converged = _interior(R, _start(R))
    if x[k:].min() < BOUNDARY or edge.min() + k < inner:
        # before a Heywood case is believed: is there an optimum inside, near the likeliest of the items?
        likeliest = R[np.argsort(edge)[:3]]
        others = (_interior(R, np.concatenate([0.8 * row, 1.0 - 0.64 * row**2])) for row in likeliest)
        inside = (one for one in others if one[0][k:].min() >= BOUNDARY)
        x, inner, converged = min(inside, key=lambda one: one[1], default=(x, np.inf, False))
    # an iteration that crawls along the boundary ends within rounding of it
    slack = 0.0 if converged else 1e-9
    heywood = int(np.argmin(edge)) if edge.min() + k < inner + slack else None
    if heywood is not None:
        loadings, uniquenesses = R[heywood].copy(), 1.0 - R[heywood] ** 2
        converged, inner = True, float(edge[heywood]) + k
    else:
        loadings, uniquenesses = x[:k], x[k:]
    sign = -1.0 if loadings @ scale < 0.0 else 1.0
    return OneFactor(
        loadings=sign * loadings * scale,
        uniquenesses=uniquenesses * scale**2,
        discrepancy=max(0.0, inner - k - float(np.log(spread).sum())),
        heywood=heywood,
        converged=converged,
    )


def expected_information(loadings: Array, uniquenesses: Array) -> Array:
    """Fisher information of (λ, ψ) per record (2k × 2k): ½ tr(Σ⁻¹ ∂Σ Σ⁻¹ ∂Σ)."""
    W = np.linalg.inv(np.outer(loadings, loadings) + np.diag(uniquenesses))
    return 0.5 * _curvature(W, W, loadings)


def _curvature(W: Array, G: Array, loadings: Array) -> Array:
    """tr(W ∂ᵢΣ G ∂ⱼΣ) for all pairs of (λ, ψ)."""
    u, v = W @ loadings, G @ loadings
    both = np.outer(u, v)
    upper = both + both.T + (loadings @ v) * W + (loadings @ u) * G
    mixed = G * u + W * v
    k = len(loadings)
    found = np.empty((2 * k, 2 * k))
    found[:k, :k], found[:k, k:], found[k:, :k], found[k:, k:] = upper, mixed, mixed.T, W * G
    return found


def _interior(R: Array, x: Array) -> tuple[Array, float, bool]:
    """Newton's method inside ψ > 0: (λ, ψ), log|Σ| + tr(RΣ⁻¹), and whether it arrived; stops on the way to ψ = 0."""
    k = len(R)
    W, value = _criterion(R, x)
    arrived = False
    for _ in range(MOST_STEPS):
        V = W @ R @ W
        Q = W - V
        gradient = np.concatenate([2.0 * Q @ x[:k], np.diag(Q)])
        H = _curvature(W, 2.0 * V - W, x[:k])
        H[:k, :k] += 2.0 * Q
        if np.linalg.eigvalsh(H)[0] <= 0.0:
            # Fisher's step where the curvature is not positive
            H = _curvature(W, W, x[:k])
            H += 1e-8 * np.diag(np.diag(H))
        step = -np.linalg.solve(H, gradient)
        decrement = -float(gradient @ step)
        if decrement < 1e-22 or x[k:].min() < BOUNDARY:
            arrived = True
            break
        # nine tenths of the way to zero at most
        falling = step[k:] < 0.0
        length = min(1.0, float((-0.9 * x[k:][falling] / step[k:][falling]).min(initial=1.0)))
        tried = x + length * step
        new_W, new = _criterion(R, tried)
        while new > value - 1e-4 * length * decrement and length > 1e-10:
            length /= 2.0
            tried = x + length * step
            new_W, new = _criterion(R, tried)
        if not new < value:
            # nothing lower can be told from rounding: an optimum if the quadratic model says so, too
            arrived = decrement < 1e-12
            if arrived and length == 1.0:
                x = tried
            break
        x, W, value = tried, new_W, new
    return x, value, arrived


def _start(R: Array) -> Array:
    """The best loadings for uniquenesses of half of what the other items leave unexplained (Jöreskog 1967)."""
    psi = 0.5 / np.diag(np.linalg.inv(R))
    root = np.sqrt(psi)
    values, vectors = np.linalg.eigh(R / np.outer(root, root))
    return np.concatenate([root * vectors[:, -1] * np.sqrt(max(values[-1] - 1.0, 1e-2)), psi])


def _criterion(R: Array, x: Array) -> tuple[Array, float]:
    """Σ⁻¹ and log|Σ| + tr(RΣ⁻¹)."""
    k = len(R)
    over = x[:k] / x[k:]
    more = 1.0 + float(x[:k] @ over)
    W = np.diag(1.0 / x[k:]) - np.outer(over, over) / more
    return W, float(np.log(x[k:]).sum() + np.log(more) + (W * R).sum())
