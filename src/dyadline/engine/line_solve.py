"""The optima of many studies at once, each with its own design, and their Satterthwaite degrees of freedom."""

from __future__ import annotations

import numpy as np

from dyadline.engine.batch import plain
from dyadline.engine.batch_information import Curvature, freedom
from dyadline.engine.boundary import descent
from dyadline.engine.descent import Ends, descend, factors, free_entries, jacobians, pulled_back
from dyadline.engine.line_models import (
    LINE,
    STRUCTURE,
    TWICE,
    LineModels,
    carried,
    full,
    leverages,
    moment_estimates,
    moments_of,
    moved_products,
    sandwich,
    scored,
    traces,
    weights,
)
from dyadline.engine.moments import Array, Index
from dyadline.engine.settle import settle
from dyadline.engine.solutions import Solutions
from dyadline.engine.solve import FEW, NO_RESIDUAL, Problem

DEPENDENT = 1e-10
"""Smallest eigenvalue of the columns' cosines at which they can be told apart."""


def solve_line_models(models: LineModels) -> Solutions:
    """Find the optimum of each study, in its own columns (intercept part first).

    A study without an answer stays empty: predictors that repeat each other, as many effects as rows, no residual.
    """
    result = Solutions.unsolved(models.n_fixed, LINE.n_entries, models.size)
    numbers = np.flatnonzero(_solvable(models))
    if not numbers.size:
        return result.finished()
    models = models[numbers]
    guess = moment_estimates(models)
    own = free_entries(LINE, guess)
    ends = descend(models, free_entries(LINE, scored(models, guess)))
    few = models.n_groups < FEW * LINE.size + models.n_fixed
    sure = plain(LINE, ends) & ~few
    result.write(numbers[sure], LINE, ends[np.flatnonzero(sure)])
    doubtful = np.flatnonzero(~sure)
    if doubtful.size:
        for small in (False, True):
            which = doubtful[few[doubtful] == small]
            if which.size:
                _settled(result, numbers[which], models[which], ends[which], own[which], small)
    return result.finished()


def _settled(result: Solutions, numbers: Index, models: LineModels, ends: Ends, own: Array, small: bool) -> None:
    """Write studies in doubt; whoever does not arrive is left to `solve`."""
    edge = settle(models, ends, own, STRUCTURE, scatter=small)
    result.write(numbers, LINE, ends)
    for i in edge:
        result.singular[numbers[i]] = True
        result.converged[numbers[i]] &= descent(STRUCTURE, ends.theta[i], ends.gradient[i]) >= -1e-4
    for i in np.flatnonzero(~ends.arrived).tolist():
        problem = Problem(moments=moments_of(models, i), structure=STRUCTURE, method=models.method)
        result.write_alone(int(numbers[i]), problem, problem.moments)


def _solvable(models: LineModels) -> Array:
    """Studies that have an answer, (R,)."""
    used = models.gram[:, 0] > 0.0
    m = models.predictors.shape[2]
    # X'X and not the predictors alone: with few dyads of several occasions their products with time may depend.
    squares = full(models.gram @ models.products, m)
    sizes = np.sqrt(np.maximum(squares[:, np.arange(2 * m), np.arange(2 * m)], 1e-300))
    apart = np.linalg.eigvalsh(squares / (sizes[:, :, None] * sizes[:, None]))[:, 0] > DEPENDENT
    whole = models.determinant > 1e-10 * np.maximum(models.gram[:, 0] * models.gram[:, 2], 1e-300)
    random = used.sum(axis=1) + whole.sum(axis=1)
    total = models.within + (models.lines[:, 0] ** 2 * models.gram[:, 0]).sum(axis=1)
    enough = (models.n_rows > random) & (models.n_rows > models.n_fixed) & (used.sum(axis=1) > m)
    return np.asarray(apart & enough & (models.within > NO_RESIDUAL * total))


def line_freedom(models: LineModels, solutions: Solutions, contrasts: Array) -> Array:
    """Satterthwaite's degrees of freedom of m contrasts, (m, p), of each study's columns, (R, m); see `freedom`."""
    result = np.full((models.size, len(contrasts)), np.nan)
    there = np.flatnonzero(np.isfinite(solutions.criterion))
    if there.size:
        found = _curvature(models[there], solutions, there, contrasts)
        result[there] = freedom(models.degrees[there], solutions, there, contrasts, found)
    return result


def _curvature(models: LineModels, solutions: Solutions, which: Index, contrasts: Array) -> Curvature:
    factor = factors(LINE, solutions.theta[which])
    inverse = solutions.inverse[which]
    s, _ = weights(models, np.moveaxis(factor @ factor.swapaxes(-1, -2), 0, -1))
    slope, curves = s, -s
    if models.method == "REML":
        pulled = sandwich(s, leverages(models, inverse))
        slope, curves = s - pulled, 2.0 * pulled - s
    gradient, hessian = slope.sum(axis=2) * TWICE, traces(s, curves)
    if models.method == "REML":
        hessian = hessian - carried(models, s, inverse)
    half = contrasts @ inverse
    turned = half[:, None] @ moved_products(models, s)
    slopes = np.moveaxis((turned * half[:, None]).sum(axis=3), 1, 2)
    sigma2 = solutions.rss[which] / models.degrees
    gradient = gradient + solutions.d_rss[which] / sigma2[:, None]
    hessian = hessian + solutions.dd_rss[which] / sigma2[:, None, None]
    jacobian = jacobians(LINE, factor)
    return Curvature(
        slopes=slopes @ jacobian,
        hessian=pulled_back(LINE, factor, gradient, hessian)[1],
        jacobian=jacobian,
    )
