"""The criterion's algebra for many groups that go, one at a time: everything has a leading axis of groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dyadline.engine.covariance import Structure
from dyadline.engine.criterion import Evaluation, Method
from dyadline.engine.moments import Array, lower

Mask = NDArray[np.bool_]

LONG = 0.25
"""A step of more than this share of θ is cut to it, and not trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optima:
    """Optima, each without one group.

    Attributes
    ----------
    theta
        (G, k).
    beta, inverse
        Fixed effects, (G, p), and (X'V⁻¹X)⁻¹, (G, p, p).
    variance, criterion
        σ² and the criterion, (G,).
    displacement
        By how much the criterion of all rows is larger at these parameters than at its optimum, (G,).
    doubtful
        Where this may not be the optimum, (G,).
    """

    theta: Array
    beta: Array
    inverse: Array
    variance: Array
    criterion: Array
    displacement: Array
    doubtful: Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """All rows: their number, the method, and the optimal criterion."""

    n: int
    method: Method
    criterion: float


def optima(
    whole: Whole, theta: Array, W: Array, log_v: Array, nu: Array, everywhere: Array, log_v_all: Array, doubtful: Mask
) -> Optima:
    """What W and log|V| at θ say: of the rows without a group, (G, p+1, p+1), and of all rows at the same θ."""
    criterion, beta, inverse, variance = criteria(W, log_v, nu, restricted=whole.method == "REML")
    return Optima(
        theta=theta,
        beta=beta,
        inverse=inverse,
        variance=variance,
        criterion=criterion,
        displacement=_deviance(everywhere, log_v_all, beta, variance, whole.n, whole.method) - whole.criterion,
        doubtful=doubtful,
    )


def criteria(W: Array, log_v: Array, nu: Array, *, restricted: bool) -> tuple[Array, Array, Array, Array]:
    """Criterion, (G,), fixed effects, (G, p), (X'V⁻¹X)⁻¹, (G, p, p), and σ², (G,), from W, (G, p+1, p+1)."""
    p = W.shape[1] - 1
    inverse: Array = np.asarray(np.linalg.inv(W[:, :p, :p]), dtype=np.float64)
    beta = np.einsum("gcd,gd->gc", inverse, W[:, :p, p])
    v = np.concatenate([-beta, np.ones((len(beta), 1))], axis=1)
    variance = np.einsum("gc,gcd,gd->g", v, W, v) / nu
    criterion = log_v + nu * (1.0 + np.log(2.0 * np.pi * variance))
    if restricted:
        criterion = np.asarray(criterion - np.linalg.slogdet(inverse)[1])
    return criterion, beta, inverse, variance


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Newton steps in θ, (G, k); what they still gain; where they are cut or the curvature has the wrong sign."""

    step: Array
    decrement: Array
    doubtful: Mask


def newton(structure: Structure, theta: Array, gradient: Array, hessian: Array) -> Steps:
    """From gradient (G, m) and Hessian (G, m, m) in the entries; θ is (G, m), or the same for all, (1, m)."""
    step, decrement, doubtful = np.empty_like(gradient), np.empty(len(gradient)), np.empty(len(gradient), dtype=bool)
    for number in range(len(gradient)):
        here = theta[min(number, len(theta) - 1)]
        longest = LONG * max(0.1, float(np.linalg.norm(here)))
        g, H = structure.pull_back(here, gradient[number], hessian[number])
        values, vectors = np.linalg.eigh(H)
        size = np.maximum(np.abs(values), 1e-9 * max(1e-8, float(np.abs(values).max())))
        along = vectors.T @ g
        step[number] = -vectors @ (along / size)
        share = float(np.linalg.norm(step[number])) / longest
        step[number] /= max(1.0, share)
        decrement[number] = 0.5 * float((along**2 / size).sum())
        doubtful[number] = share > 1.0 or bool(values[0] < -1e-7 * size.max())
    return Steps(step=step, decrement=decrement, doubtful=doubtful)


def deviance(evaluation: Evaluation, beta: Array, variance: float, method: Method) -> float:
    """The criterion with σ² (and, for ML, β) not at their optimum."""
    found = _deviance(
        evaluation.products[None], np.array([evaluation.log_v]), beta[None], np.array([variance]), evaluation.n, method
    )
    return float(found[0])


def _deviance(W: Array, log_v: Array, beta: Array, variance: Array, n: int, method: Method) -> Array:
    """Of several (G,); REML knows no β: it takes its own."""
    p = beta.shape[1]
    if method == "REML":
        beta = np.asarray(np.linalg.solve(W[:, :p, :p], W[:, :p, p:])[..., 0], dtype=np.float64)
        log_v = np.asarray(log_v + np.linalg.slogdet(W[:, :p, :p])[1])
        n = n - p
    v = np.concatenate([-beta, np.ones((len(beta), 1))], axis=1)
    rss = np.einsum("gc,gcd,gd->g", v, W, v)
    return np.asarray(log_v + n * np.log(2.0 * np.pi * variance) + rss / variance)


def derivatives(W: Array, m: int, nu: Array, restricted: bool) -> tuple[Array, Array]:
    """Gradient (G, m) and Hessian (G, m, m) of what the criterion has beside log|V|; as in `criterion.evaluate`."""
    p = W.shape[2] - 1
    value, d, dd = W[:, 0], W[:, 1 : m + 1], W[:, m + 1 :]
    half = np.linalg.inv(np.linalg.cholesky(value[:, :p, :p]))
    inverse = half.swapaxes(-1, -2) @ half
    v = np.concatenate([-np.einsum("gcd,gd->gc", inverse, value[:, :p, p]), np.ones((len(W), 1))], axis=1)
    rss = np.einsum("gc,gcd,gd->g", v, value, v)
    d_v = np.einsum("gmcd,gd->gmc", d, v)
    slope = np.einsum("gmc,gc->gm", d_v, v) / rss[:, None]
    pulled = d_v[..., :p] @ half.swapaxes(-1, -2)
    bend = _full(np.einsum("gkcd,gc,gd->gk", dd, v, v, optimize=True), m) - 2.0 * pulled @ pulled.swapaxes(-1, -2)
    gradient = nu[:, None] * slope
    hessian = nu[:, None, None] * (bend / rss[:, None, None] - slope[:, :, None] * slope[:, None, :])
    if restricted:
        whitened = half[:, None] @ d[..., :p, :p] @ half.swapaxes(-1, -2)[:, None]
        gradient = gradient + np.trace(whitened, axis1=-2, axis2=-1)
        flat = whitened.reshape(*whitened.shape[:2], -1)
        curved = np.einsum("gkcd,gcd->gk", dd[..., :p, :p], inverse)
        hessian = hessian + _full(curved, m) - flat @ flat.swapaxes(-1, -2)
    return gradient, hessian


def _full(packed: Array, size: int) -> Array:
    r, s = lower(size)
    full = np.empty((len(packed), size, size))
    full[:, r, s] = packed
    full[:, s, r] = packed
    return full
