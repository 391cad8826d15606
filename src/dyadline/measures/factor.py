"""One common factor by maximum likelihood: Σ = λλ' + Ψ.

The correlations are fitted (the estimates are equivariant) by Newton's method with exact second derivatives of
F = log|Σ| + tr(SΣ⁻¹). A uniqueness of zero, the Heywood case, needs no iteration: the factor then *is* that item, and
the other items are regressed on it. The fit is the lower of the two.

Many matrices of the same size are fitted together, because the arithmetic of a single small one takes less time than
asking for it.

Source: Lawley & Maxwell (1971), *Factor analysis as a statistical method*, chapters 4 and 7.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    (found,) = one_factors(S[None])
    if isinstance(found, FitError):
        raise found
    return found


def one_factors(S: Array) -> list[OneFactor | FitError]:
    """Fit the one-factor model to each of several covariance matrices (m × k × k), or say why that cannot be."""
    k = S.shape[-1]
    if k < 3:
        return [FitError("a factor needs three items at least")] * len(S)
    scale = np.sqrt(np.einsum("mii->mi", S))
    varies = scale.min(axis=1) > 0.0
    safe = np.where(varies[:, None], scale, 1.0)
    R = np.where(varies[:, None, None], S / (safe[:, :, None] * safe[:, None, :]), np.eye(k))
    spread = np.linalg.eigvalsh(R)
    regular = spread[:, 0] >= SINGULAR
    no_variance = FitError("an item has no variance")
    singular = FitError("the items' covariances are singular: too few records, or an item that follows from others")
    fits = iter(_of_correlations(R[varies & regular], scale[varies & regular], spread[varies & regular]))
    return [
        no_variance if not moves else next(fits) if full else singular
        for moves, full in zip(varies, regular, strict=True)
    ]


def _of_correlations(R: Array, scale: Array, spread: Array) -> Iterator[OneFactor]:
    k = R.shape[-1]
    # log|Σ| + tr(RΣ⁻¹) − k of the factor that equals item j
    edge = np.log(1.0 - R**2 + np.eye(k)).sum(axis=2)
    lowest = edge.min(axis=1)
    x, inner, converged = _interior(R, _start(R))
    # before a Heywood case is believed: is there an optimum inside, near the likeliest of the items?
    doubtful = np.flatnonzero((x[:, k:].min(axis=1) < BOUNDARY) | (lowest + k < inner))
    inner[doubtful], converged[doubtful] = np.inf, False
    for likeliest in np.argsort(edge[doubtful], axis=1)[:, :3].T:
        near = R[doubtful, likeliest]
        other, value, there = _interior(R[doubtful], np.concatenate([0.8 * near, 1.0 - 0.64 * near**2], axis=1))
        better = (other[:, k:].min(axis=1) >= BOUNDARY) & (value < inner[doubtful])
        chosen = doubtful[better]
        x[chosen], inner[chosen], converged[chosen] = other[better], value[better], there[better]
    # an iteration that crawls along the boundary ends within rounding of it
    at_edge = lowest + k < inner + np.where(converged, 0.0, 1e-9)
    for i, item in enumerate(edge.argmin(axis=1)):
        loadings, uniquenesses = (R[i, item], 1.0 - R[i, item] ** 2) if at_edge[i] else (x[i, :k], x[i, k:])
        criterion = float(lowest[i]) + k if at_edge[i] else float(inner[i])
        sign = -1.0 if loadings @ scale[i] < 0.0 else 1.0
        yield OneFactor(
            loadings=sign * loadings * scale[i],
            uniquenesses=uniquenesses * scale[i] ** 2,
            discrepancy=max(0.0, criterion - k - float(np.log(spread[i]).sum())),
            heywood=int(item) if at_edge[i] else None,
            converged=bool(converged[i] or at_edge[i]),
        )


def expected_information(loadings: Array, uniquenesses: Array) -> Array:
    """Fisher information of (λ, ψ) per record (... × 2k × 2k): ½ tr(Σ⁻¹ ∂Σ Σ⁻¹ ∂Σ)."""
    W = _inverse(loadings, uniquenesses)[0]
    return 0.5 * _curvature(W, W, loadings)


def _curvature(W: Array, G: Array, loadings: Array) -> Array:
    """tr(W ∂ᵢΣ G ∂ⱼΣ) for all pairs of (λ, ψ)."""
    k = loadings.shape[-1]
    u, v = (W @ loadings[..., None])[..., 0], (G @ loadings[..., None])[..., 0]
    both = u[..., :, None] * v[..., None, :]
    mixed = G * u[..., None, :] + W * v[..., None, :]
    of_u, of_v = (u * loadings).sum(axis=-1)[..., None, None], (v * loadings).sum(axis=-1)[..., None, None]
    found = np.empty((*loadings.shape[:-1], 2 * k, 2 * k))
    found[..., :k, :k] = both + both.swapaxes(-1, -2) + of_v * W + of_u * G
    found[..., :k, k:], found[..., k:, :k], found[..., k:, k:] = mixed, mixed.swapaxes(-1, -2), W * G
    return found


def _interior(R: Array, x: Array) -> tuple[Array, Array, Array]:
    """Newton's method inside ψ > 0: (λ, ψ), log|Σ| + tr(RΣ⁻¹), and whether it arrived; stops on the way to ψ = 0."""
    k = R.shape[-1]
    x = x.copy()
    W, value = _criterion(R, x)
    arrived = np.zeros(len(R), dtype=bool)
    going = np.arange(len(R))
    for _ in range(MOST_STEPS):
        here, of_here = x[going], W[going]
        gradient, step = _step(R[going], of_here, here)
        decrement = -(gradient * step).sum(axis=1)
        done = (decrement < 1e-22) | (here[:, k:].min(axis=1) < BOUNDARY)
        arrived[going[done]] = True
        going, here, step, decrement = going[~done], here[~done], step[~done], decrement[~done]
        if not len(going):
            break
        # nine tenths of the way to zero at most
        falling = step[:, k:] < 0.0
        most = np.divide(-0.9 * here[:, k:], step[:, k:], out=np.ones_like(here[:, k:]), where=falling)
        length = np.minimum(1.0, most.min(axis=1))
        before, tried = value[going], here + length[:, None] * step
        new_W, new = _criterion(R[going], tried)
        while (long := (new > before - 1e-4 * length * decrement) & (length > 1e-10)).any():
            length[long] /= 2.0
            tried[long] = here[long] + length[long, None] * step[long]
            new_W[long], new[long] = _criterion(R[going[long]], tried[long])
        lower = new < before
        # nothing lower can be told from rounding: an optimum if the quadratic model says so, too
        arrived[going[~lower]] = decrement[~lower] < 1e-12
        moved = lower | ((decrement < 1e-12) & (length == 1.0))
        x[going[moved]] = tried[moved]
        going = going[lower]
        W[going], value[going] = new_W[lower], new[lower]
    return x, value, arrived


def _step(R: Array, W: Array, x: Array) -> tuple[Array, Array]:
    """Gradient and Newton's step; Fisher's where the curvature is not positive."""
    k = R.shape[-1]
    loadings = x[:, :k]
    V = W @ R @ W
    Q = W - V
    gradient = np.concatenate([2.0 * (Q @ loadings[..., None])[..., 0], np.einsum("mii->mi", Q)], axis=1)
    H = _curvature(W, 2.0 * V - W, loadings)
    H[:, :k, :k] += 2.0 * Q
    try:
        np.linalg.cholesky(H)
    except np.linalg.LinAlgError:
        bad = np.linalg.eigvalsh(H)[:, 0] <= 0.0
        H[bad] = _curvature(W[bad], W[bad], loadings[bad])
        H[bad] += 1e-8 * np.einsum("mii->mi", H[bad])[:, :, None] * np.eye(2 * k)
    return gradient, -np.linalg.solve(H, gradient[..., None])[..., 0]


def _start(R: Array) -> Array:
    """The best loadings for uniquenesses of half of what the other items leave unexplained (Jöreskog 1967)."""
    psi = 0.5 / np.einsum("mii->mi", np.linalg.inv(R))
    root = np.sqrt(psi)
    values, vectors = np.linalg.eigh(R / (root[:, :, None] * root[:, None, :]))
    length = np.sqrt(np.maximum(values[:, -1] - 1.0, 1e-2))
    return np.concatenate([root * vectors[:, :, -1] * length[:, None], psi], axis=1)


def _criterion(R: Array, x: Array) -> tuple[Array, Array]:
    """Σ⁻¹ and log|Σ| + tr(RΣ⁻¹)."""
    k = R.shape[-1]
    W, more = _inverse(x[:, :k], x[:, k:])
    return W, np.log(x[:, k:]).sum(axis=1) + np.log(more) + (W * R).sum(axis=(1, 2))


def _inverse(loadings: Array, uniquenesses: Array) -> tuple[Array, Array]:
    """Σ⁻¹ = Ψ⁻¹ − Ψ⁻¹λλ'Ψ⁻¹/(1 + λ'Ψ⁻¹λ), and |Σ|/|Ψ|, its denominator."""
    over = loadings / uniquenesses
    more = 1.0 + (loadings * over).sum(axis=-1)
    W = -over[..., :, None] * over[..., None, :] / more[..., None, None]
    np.einsum("...ii->...i", W)[...] += 1.0 / uniquenesses
    return W, more
