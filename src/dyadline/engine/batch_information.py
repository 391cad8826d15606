"""Satterthwaite's degrees of freedom for many responses on one design.

Observed information as in `information`; of it only the derivatives of rss depend on the response, and they are kept
with the solutions. The rest is evaluated for all replicates at once, or one by one where they were solved so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dyadline.engine.batch import AT_ONCE, simultaneous
from dyadline.engine.criterion import evaluate
from dyadline.engine.descent import factors, jacobians, pulled_back
from dyadline.engine.moments import Array, Index, lower
from dyadline.engine.replicates import inside
from dyadline.engine.shared import Shared, doubled, numbers, packed, places, shared, weights_at
from dyadline.engine.simultaneous import sandwiched, traces
from dyadline.engine.solutions import Solutions
from dyadline.engine.solve import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Curvature:
    """What the degrees of freedom need of R replicates, in their k covariance parameters θ.

    Attributes
    ----------
    slopes
        Derivatives of `l'(X'V⁻¹X)⁻¹l` for m contrasts, (R, m, k).
    hessian
        Of the criterion with σ² free, (R, k, k).
    jacobian
        Of the entries in θ, (R, k, k).
    """

    slopes: Array
    hessian: Array
    jacobian: Array


def satterthwaite_many(problem: Problem, solutions: Solutions, contrasts: Array, *, at_once: int = AT_ONCE) -> Array:
    """Degrees of freedom `2 (l'Cl)² / (g'Ag)` of m contrasts l of the design's coefficients.

    Parameters
    ----------
    problem
        The design.
    solutions
        Of its replicates.
    contrasts
        (m, p), for the columns of the design.

    Returns
    -------
    (R, m); infinite where the covariance parameters leave no uncertainty, NaN where a replicate has no answer.
    """
    result = np.full((len(solutions.rss), len(contrasts)), np.nan)
    there = np.flatnonzero(np.isfinite(solutions.criterion))
    if not there.size:
        return result
    common: Shared | None = None
    if simultaneous(problem):
        level = problem.structure.levels[0]
        factor = factors(level, solutions.theta[there])
        middle = (factor @ factor.swapaxes(-1, -2)).mean(axis=0)
        common = shared(problem.moments, level, problem.method, inside(middle[None])[0])
    for begin in range(0, len(there), at_once):
        which = there[begin : begin + at_once]
        if common is None:
            found = _one_by_one(problem, solutions, which, contrasts)
        else:
            found = _together(common, solutions, which, contrasts, _degrees(problem))
        degrees = np.full(len(which), float(_degrees(problem)))
        result[which] = freedom(degrees, solutions, which, contrasts, found)
    return result


def _degrees(problem: Problem) -> int:
    moments = problem.moments
    return moments.n_rows - (moments.n_fixed if problem.method == "REML" else 0)


def _together(common: Shared, solutions: Solutions, which: Index, contrasts: Array, degrees: int) -> Curvature:
    q, p = common.level.size, common.root.shape[0]
    r, s = lower(q)
    entries = numbers(common.level)
    size = len(which)
    factor = factors(common.level, solutions.theta[which])
    relative = np.moveaxis(factor @ factor.swapaxes(-1, -2), 0, -1)
    back = np.linalg.inv(common.root)
    inverse = back @ solutions.inverse[which] @ back.T
    weights, _ = weights_at(common, packed(relative))
    counts = common.counts[:, None, None]

    slope, curves = counts * weights, -counts * weights
    if common.method == "REML":
        pressed = sandwiched(common, weights, np.ascontiguousarray(np.moveaxis(inverse, 0, -1)))
        slope -= pressed
        curves += 2.0 * pressed
    gradient = (slope.sum(axis=0)[entries] * doubled(r, s)[entries][:, None]).T
    hessian = np.moveaxis(traces(common, weights, curves), -1, 0)

    turned = contrasts @ common.root @ inverse
    places_q, places_p = places(q), places(p)
    slopes = np.empty((size, len(contrasts), len(entries)))
    whitened = np.empty((size, len(entries), p, p))
    for number, (a, b) in enumerate(zip(*common.level.entries, strict=True)):
        moved = weights[:, places_q[r, a]] * weights[:, places_q[b, s]]
        if a != b:
            moved += weights[:, places_q[r, b]] * weights[:, places_q[a, s]]
        products = (common.packed.T @ moved.reshape(-1, size)).T[:, places_p]  # −∂W
        slopes[:, :, number] = ((turned @ products) * turned).sum(axis=2)
        whitened[:, number] = inverse @ products
    if common.method == "REML":
        flat = whitened.reshape(size, len(entries), -1)
        hessian = hessian - flat @ whitened.swapaxes(-1, -2).reshape(size, len(entries), -1).swapaxes(-1, -2)
    sigma2 = solutions.rss[which] / degrees
    gradient = gradient + solutions.d_rss[which] / sigma2[:, None]
    hessian = hessian + solutions.dd_rss[which] / sigma2[:, None, None]
    jacobian = jacobians(common.level, factor)
    return Curvature(
        slopes=slopes @ jacobian,
        hessian=pulled_back(common.level, factor, gradient, hessian)[1],
        jacobian=jacobian,
    )


def _one_by_one(problem: Problem, solutions: Solutions, which: Index, contrasts: Array) -> Curvature:
    structure, p = problem.structure, problem.moments.n_fixed
    slopes, hessians, jacobians_ = [], [], []
    for number in which:
        theta = solutions.theta[number]
        at = evaluate(problem.moments, structure, theta)
        gradient, hessian = at.d_log_v, at.dd_log_v
        if problem.method == "REML":
            gradient, hessian = gradient + at.d_log_xx, hessian + at.dd_log_xx
        sigma2 = solutions.rss[number] / _degrees(problem)
        gradient = gradient + solutions.d_rss[number] / sigma2
        hessian = hessian + solutions.dd_rss[number] / sigma2
        jacobian = structure.jacobian(theta)
        half = contrasts @ at.inverse
        slopes.append(-np.einsum("mc,icd,md->mi", half, at.d_products[:, :p, :p], half, optimize=True) @ jacobian)
        hessians.append(structure.pull_back(theta, gradient, hessian)[1])
        jacobians_.append(jacobian)
    return Curvature(slopes=np.stack(slopes), hessian=np.stack(hessians), jacobian=np.stack(jacobians_))


def freedom(degrees: Array, solutions: Solutions, which: Index, contrasts: Array, found: Curvature) -> Array:
    """From θ and log σ², in which the information is judged and g'Ag does not change; `degrees` of rss, (R,)."""
    sigma2 = (solutions.rss[which] / degrees)[:, None]
    size = ((contrasts @ solutions.inverse[which]) * contrasts).sum(axis=2)
    k = found.hessian.shape[1]
    full = np.empty((len(which), k + 1, k + 1))
    full[:, :k, :k] = found.hessian
    cross = -(solutions.d_rss[which, None] @ found.jacobian)[:, 0] / sigma2
    full[:, :k, k] = full[:, k, :k] = cross
    full[:, k, k] = degrees
    values, vectors = np.linalg.eigh(full)
    flat = values <= 1e-9 * values[:, -1:]
    inverse = np.where(flat, 0.0, 2.0 / np.where(flat, 1.0, values))
    gradient = np.concatenate([found.slopes, size[:, :, None]], axis=2)  # relative to σ²
    spread = ((gradient @ vectors) ** 2 * inverse[:, None, :]).sum(axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0.0, 2.0 * size**2 / spread, np.inf)
