"""From moments to the optimum, with its certificate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dyadline.engine.covariance import Structure
from dyadline.engine.criterion import Evaluation, Method, evaluate
from dyadline.engine.moments import Array, Moments
from dyadline.engine.optimize import Function, Minimum, minimise
from dyadline.errors import FitError

BOUNDARY = 1e-5
"""A direction of random effects whose relative SD is below this is on the boundary: it does not vary."""

TIE = 1e-9
"""Criteria that differ by less are the same."""

NO_RESIDUAL = 1e-13
"""A residual share of the total sum of squares below this is rounding, not variation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Data, covariance structure and method: what there is to solve."""

    moments: Moments
    structure: Structure
    method: Method


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """The optimum and how it was reached.

    Attributes
    ----------
    theta
        Free entries of Λ, (k,).
    relative
        D = ΛΛ', (q, q).
    evaluation
        The criterion's pieces and derivatives there.
    minimum
        Gradient, curvature and number of evaluations of the best run.
    descent
        Smallest eigenvalue of the criterion's gradient in D over the directions in which D is singular:
        below zero, a variance now at zero would want to grow. Infinite in the interior.
    singular
        D is singular: a variance of zero or a correlation of ±1.
    starts
        Starting points tried.
    """

    theta: Array
    relative: Array
    evaluation: Evaluation
    minimum: Minimum
    descent: float
    singular: bool
    starts: int

    @property
    def converged(self) -> bool:
        """Nothing left to gain in any direction, boundary included."""
        return self.minimum.certified and self.descent >= -1e-4


def solve(problem: Problem) -> Solution:
    """Find the best D, from a moment estimate first, from other starts where the end is not plain.

    Raises
    ------
    FitError
        If the rows leave no residual variation.
    """
    moments, structure, method = problem.moments, problem.structure, problem.method

    latest: dict[bytes, Evaluation] = {}  # the optimum's pieces need not be computed again

    def function(theta: Array) -> tuple[float, Array, Array]:
        try:
            found = evaluate(moments, structure, structure.relative(theta))
        except np.linalg.LinAlgError:
            return np.inf, np.full_like(theta, np.inf), np.eye(len(theta))
        latest.clear()
        latest[theta.tobytes()] = found
        if not found.rss > 0.0:
            return np.inf, np.full_like(theta, np.inf), np.eye(len(theta))
        value, gradient, hessian = found.profiled(method)
        return value, *structure.pull_back(theta, gradient, hessian)

    _refuse_no_variation(problem)
    best: Minimum | None = None
    tried = 0
    for theta in _starts(problem):
        ended = minimise(function, theta)
        tried += 1
        if best is None or _better(ended, best):
            best = ended
        if tried == 1 and best.certified and not _on_boundary(structure, best.point):
            break
    assert best is not None
    best = _snapped(structure, function, best)
    relative = structure.relative(best.point)
    evaluation = latest.get(best.point.tobytes()) or evaluate(moments, structure, relative)
    _refuse_no_residual(problem, evaluation)
    singular = _on_boundary(structure, best.point)
    return Solution(
        theta=best.point,
        relative=relative,
        evaluation=evaluation,
        minimum=best,
        descent=_descent(structure, relative, evaluation, method) if singular else np.inf,
        singular=singular,
        starts=tried,
    )


def _better(one: Minimum, other: Minimum) -> bool:
    """Lower; or as low, and certified where the other is not. A certificate never buys a worse value."""
    if one.certified and not other.certified:
        return one.value <= other.value + TIE
    return one.value < other.value - TIE


def _starts(problem: Problem) -> Iterator[Array]:
    """A moment estimate, then covariances of several sizes and shapes."""
    structure = problem.structure
    rows, columns = structure.entries
    diagonal = rows == columns
    yield structure.theta(_moment_estimate(problem))
    yield np.where(diagonal, 1.0, 0.0)
    yield np.where(diagonal, 0.1, 0.0)
    for effect in range(structure.size if structure.size > 1 else 0):
        yield np.where(diagonal, np.where(rows == effect, 1.0, 0.05), 0.0)
    if not diagonal.all():
        yield np.where(diagonal, 0.3, 0.25)
        yield np.where(diagonal, 0.3, -0.25)


def _moment_estimate(problem: Problem) -> Array:
    """D from the spread of least-squares lines per group, less what their own errors explain."""
    moments, structure = problem.moments, problem.structure
    q, p = moments.n_random, moments.n_fixed
    v = np.append(-np.linalg.solve(moments.total[:p, :p], moments.total[:p, p]), 1.0)
    products = moments.residual_products(v)
    full, inverse = moments.full, moments.inverse
    groups = float(moments.counts[full].sum())
    within = float(v @ moments.within @ v)
    freedom = moments.n_rows - q * groups - p
    if groups < q + 2 or freedom < 1 or within <= 0:
        return np.eye(q)
    sigma2 = within / freedom
    lines = (inverse[full] @ products[full] @ inverse[full]).sum(axis=0) / groups
    errors = np.tensordot(moments.counts[full], inverse[full], axes=1) / groups
    estimate = lines / sigma2 - errors
    rows, columns = structure.entries
    masked = np.zeros_like(estimate)
    masked[rows, columns] = estimate[rows, columns]
    masked[columns, rows] = estimate[rows, columns]
    values, vectors = np.linalg.eigh(masked)
    # Starting inside the cone: on its edge the gradient in Λ vanishes and says nothing.
    floor = max(1e-2, 1e-2 * float(values[-1]))
    return np.asarray((vectors * np.maximum(values, floor)) @ vectors.T)


def _block_eigen(structure: Structure, theta: Array) -> Iterator[tuple[slice, Array, Array]]:
    relative = structure.relative(theta)
    start = 0
    for size in structure.blocks:
        block = slice(start, start + size)
        yield block, *np.linalg.eigh(relative[block, block])
        start += size


def _on_boundary(structure: Structure, theta: Array) -> bool:
    return any(
        bool((values < BOUNDARY**2 * max(1.0, float(values[-1]))).any())
        for _, values, _ in _block_eigen(structure, theta)
    )


def _snapped(structure: Structure, function: Function, found: Minimum) -> Minimum:
    """A D that is singular but for rounding is made exactly so, unless that costs anything."""
    if not _on_boundary(structure, found.point):
        return found
    relative = np.zeros((structure.size, structure.size))
    for block, values, vectors in _block_eigen(structure, found.point):
        kept = np.where(values < BOUNDARY**2 * max(1.0, float(values[-1])), 0.0, values)
        relative[block, block] = (vectors * kept) @ vectors.T
    theta = structure.theta(relative)
    theta[np.abs(theta) < 1e-12] = 0.0
    ended = minimise(function, theta, limit=20)
    return ended if ended.value <= found.value + TIE else found


def _descent(structure: Structure, relative: Array, evaluation: Evaluation, method: Method) -> float:
    """Smallest eigenvalue of the gradient in D on the null space of D (Karush–Kuhn–Tucker: ≥ 0)."""
    gradient = structure.gradient_matrix(evaluation.profiled(method)[1])
    smallest, start = np.inf, 0
    for size in structure.blocks:
        block = slice(start, start + size)
        values, vectors = np.linalg.eigh(relative[block, block])
        null = vectors[:, values < BOUNDARY**2 * max(1.0, float(values[-1]))]
        if null.size:
            smallest = min(smallest, float(np.linalg.eigvalsh(null.T @ gradient[block, block] @ null)[0]))
        start += size
    return smallest


def _refuse_no_variation(problem: Problem) -> None:
    moments = problem.moments
    p = moments.n_fixed
    if moments.n_rows <= p:
        raise FitError(
            f"The model has {p} fixed effects but only {moments.n_rows} complete rows",
            way_out="Use fewer predictors or more data",
        )
    v = np.append(-np.linalg.solve(moments.total[:p, :p], moments.total[:p, p]), 1.0)
    scale = float(moments.total[p, p])
    if not scale > 0.0 or float(v @ moments.total @ v) <= NO_RESIDUAL * scale:
        raise FitError(
            "The fixed effects explain the outcome without any remainder, so there is nothing to model",
            way_out="Check whether the outcome is constant or a copy of a predictor",
        )


def _refuse_no_residual(problem: Problem, evaluation: Evaluation) -> None:
    if evaluation.rss <= NO_RESIDUAL * float(problem.moments.total[-1, -1]) or not np.isfinite(evaluation.rss):
        raise FitError(
            "The random effects explain the outcome without any remainder, so there is no residual variance",
            way_out="Use fewer random effects, or check whether the outcome was computed from the time",
        )
